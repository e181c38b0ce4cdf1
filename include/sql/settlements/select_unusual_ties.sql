-- Of the numbers that a statement's rows name: those that are no known order, with the order whose orderline they are.
-- :account, :numbers
select named.number, line.order_id
from unnest(%(numbers)s::bigint[]) as named (number)
left join backmarket.orders as known on known.account = %(account)s and named.number = known.order_id
left join backmarket.order_lines as line on line.account = %(account)s and named.number = line.orderline_id
where known.order_id is null
