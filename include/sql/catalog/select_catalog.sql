-- What the seller wants to be on sale.
-- :account
select
    sku, ean, product_id, quantity, price, currency, market, grade, warranty_delay, comment,
    category_id, title, description, brand, price_new, weight, images, attributes
from seller.catalog
where account = %(account)s
order by sku
