-- The arithmetic of the SKUs that the newest plan wants changed or that hold units back, most interesting first.
-- :account, :most
select sku, stock, reserved, held, safety_qty, max_qty, shown, wanted, reason
from backmarket.inventory
where account = %(account)s and (shown <> wanted or reserved > 0 or held > 0 or reason is not null)
order by (shown <> wanted) desc, wanted, sku
limit %(most)s
