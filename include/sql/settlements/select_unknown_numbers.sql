-- Numbers that statement rows name, that no stored order has, and that Back Market was not asked for; newest first.
-- :account, :budget
select line.number
from backmarket.settlement_lines as line
where
    line.account = %(account)s
    and line.tied_by is null
    and line.number is not null
    and not exists (
        select 1 from backmarket.orders as known
        where known.account = line.account and known.order_id = line.number
    )
    and not exists (
        select 1 from backmarket.order_lines as known
        where known.account = line.account and known.orderline_id = line.number
    )
    and not exists (
        select 1 from backmarket.settlement_unknown_orders as tried
        where tried.account = line.account and tried.number = line.number
    )
group by line.number
order by max(line.value_date) desc, line.number desc
limit %(budget)s
