-- What a line of a batch must name besides the price: the SKU as Back Market writes it, and the grade as it is.
-- :account, :ids
select id, sku, grade
from backmarket.listings
where account = %(account)s and id = any(%(ids)s::uuid[]) and gone_at is null and sku is not null and grade is not null
