-- The newest ninety days that statements speak of; no row where none is loaded.
-- :account
select
    greatest(min(value_date), max(value_date) - 89) as first_day,
    max(value_date) as last_day
from backmarket.settlement_lines
where account = %(account)s and not vanished
having count(*) > 0
