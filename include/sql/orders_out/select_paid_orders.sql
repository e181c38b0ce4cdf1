-- Orders with a line that is paid and not accepted.
-- :account
select distinct line.order_id
from backmarket.order_lines as line
inner join backmarket.orders as orders using (account, order_id)
where line.account = %(account)s and line.state = 1 and line.gone_at is null and orders.gone_at is null
