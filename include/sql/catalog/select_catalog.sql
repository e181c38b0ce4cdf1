-- What the seller wants to be on sale; a row of a view without a SKU can be neither sent nor spoken of.
-- :account
select
    sku, ean, product_id, quantity, price, currency, market, grade, warranty_delay, comment,
    category_id, title, description, brand, price_new, weight, images, attributes
from seller.catalog
where account = %(account)s and sku is not null
order by sku
