-- The arithmetic of the newest plan.
-- :account, :skus
select stock, reserved, held, safety_qty, max_qty, sellable, shown, wanted, reason, planned_at
from backmarket.inventory
where account = %(account)s and sku = any(%(skus)s)
order by planned_at desc
limit 1
