-- From here until its answer a listing may show what is being sent.
-- :account, :id, :maybe
update backmarket.listing_baselines
set maybe = %(maybe)s, maybe_at = case when %(maybe)s::integer is not null then clock_timestamp() end
where account = %(account)s and id = %(id)s
