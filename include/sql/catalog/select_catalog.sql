-- What the seller wants to be on sale, as texts: each row is judged by itself.
-- :account
select
    sku::text, ean::text, product_id::text, quantity::text, price::text, currency::text, market::text, grade::text,
    warranty_delay::text, comment::text, category_id::text, title::text, description::text, brand::text,
    price_new::text, weight::text, images::text, attributes::text
from seller.catalog
where account::text = %(account)s
order by sku::text
