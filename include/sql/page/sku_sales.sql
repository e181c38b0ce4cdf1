-- The newest order lines of a SKU.
-- :account, :skus
select
    line.date_creation as at,
    'sold' as source,
    concat(line.quantity, ' sold') as what,
    concat_ws(' · ', line.price || ' ' || line.currency, orders.country_code) as detail,
    line.order_id,
    line.state
from backmarket.order_lines as line
inner join backmarket.orders as orders on line.account = orders.account and line.order_id = orders.order_id
where line.account = %(account)s and line.sku = any(%(skus)s) and line.date_creation is not null
order by line.date_creation desc
limit 200
