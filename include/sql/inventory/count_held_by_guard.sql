-- How many SKUs the zero guard holds.
-- :account
select count(*)
from backmarket.inventory_findings
where account = %(account)s and kind = 'held_by_zero_guard'
