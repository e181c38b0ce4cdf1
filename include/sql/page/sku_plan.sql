-- The arithmetic of the newest plan.
-- :account, :sku
select stock, reserved, held, safety_qty, max_qty, sellable, shown, wanted, reason, planned_at
from backmarket.inventory
where account = %(account)s and sku = %(sku)s
