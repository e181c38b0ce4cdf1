-- Days that have to be looked at again.
-- :account, :days
insert into backmarket.settlement_stale_days (account, day)
select %(account)s, day
from unnest(%(days)s::date[]) as day
