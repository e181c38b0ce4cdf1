-- What was found of stock and prices: counts that are missing or old, changes made outside.
-- :account, :kinds, :since, :most
select
    'sku' as story,
    sku as subject,
    concat_ws(' · ', concat_ws(' ', replace(kind, '_', ' '), nullif(market, '')), detail) as detail,
    first_seen_at as since,
    concat_ws('/', kind, market, sku) as topic,
    count(*) over () as total
from backmarket.inventory_findings
where account = %(account)s and first_seen_at >= %(since)s
order by last_seen_at desc
limit %(most)s
