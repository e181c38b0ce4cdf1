-- Remember the orders that Back Market does not have: none is asked for twice.
-- :account, :numbers
insert into backmarket.settlement_unknown_orders (account, number, tried_at)
select %(account)s, number, now()
from unnest(%(numbers)s::bigint[]) as number
on conflict (account, number) do nothing
