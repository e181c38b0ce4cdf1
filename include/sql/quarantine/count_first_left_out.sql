-- How many of these rows a run was the first to find.
-- :account, :entity, :keys, :run_id
select count(*) from backmarket.quarantine
where account = %(account)s and entity = %(entity)s and key = any(%(keys)s::text []) and first_run = %(run_id)s
