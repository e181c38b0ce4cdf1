-- Documents that came in, and rows of the seller, that could not be understood.
-- :account, :kinds, :since, :most
select
    case
        when entity in ('order', 'seller.shipments', 'seller.devices') and key ~ '^\d+$' then 'order'
        when entity = 'seller.stock' and key <> 'unnamed' then 'sku'
        else ''
    end as story,
    key as subject,
    concat(entity, ' · ', reason) as detail,
    first_seen_at as since,
    concat_ws('/', entity, key) as topic,
    count(*) over () as total
from backmarket.quarantine
where account = %(account)s and first_seen_at >= %(since)s
order by first_seen_at desc
limit %(most)s
