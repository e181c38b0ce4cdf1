-- Documents that came in and could not be understood.
-- :account, :kinds, :since, :most
select
    case when entity = 'order' and key ~ '^\d+$' then 'order' else '' end as story,
    key as subject,
    concat(entity, ' · ', reason) as detail,
    first_seen_at as since,
    concat_ws('/', entity, key) as topic,
    count(*) over () as total
from backmarket.quarantine
where account = %(account)s and first_seen_at >= %(since)s
order by first_seen_at desc
limit %(most)s
