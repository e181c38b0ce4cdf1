-- How many open orders wait for what.
-- :account
select coalesce(waits_for, 'nothing'), count(*)
from backmarket.order_desk
where account = %(account)s
group by 1
order by 2 desc, 1
