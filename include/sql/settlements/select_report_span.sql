-- The newest ninety days that statements speak of; nulls where there are none.
-- :account
select greatest(min(value_date), max(value_date) - 89), max(value_date)
from backmarket.settlement_lines
where account = %(account)s and not vanished
