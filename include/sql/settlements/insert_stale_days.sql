-- The days of a statement that is new here have to be looked at.
-- :account
insert into backmarket.settlement_stale_days (account, day)
select distinct %(account)s, value_date
from staged_settlement_lines
