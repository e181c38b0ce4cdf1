-- Orders shipped on one of the days, or with a statement row on one; all, where everything is looked at.
-- :account, :everything, :days
insert into settlement_scope (order_id)
select order_id
from backmarket.orders
where
    account = %(account)s
    and (%(everything)s or (date_shipping at time zone 'UTC')::date = any(%(days)s))
union
select order_id
from backmarket.settlement_lines
where
    account = %(account)s
    and order_id is not null
    and (%(everything)s or value_date = any(%(days)s))
