-- What the statements of a period, both ends included, paid for each order, and what they do not agree on with it.
-- :account, :first_day, :last_day
--
-- Amounts are signed as on statements: costs are negative.
with paid as (
    select
        order_id,
        currency,
        coalesce(sum(amount) filter (where category = 'revenue'), 0) as sales,
        coalesce(
            sum(amount) filter (where category in ('commission', 'payment_fee', 'service', 'logistics')), 0
        ) as fees,
        coalesce(sum(amount) filter (where category = 'refund'), 0) as refunds,
        coalesce(sum(amount) filter (where category = 'adjustment'), 0) as adjustments,
        coalesce(sum(amount) filter (where category not in ('cash_flow', 'unknown')), 0) as net,
        max(value_date) as last_day
    from backmarket.settlement_lines
    where
        account = %(account)s and order_id is not null and not vanished
        and value_date between %(first_day)s and %(last_day)s
    group by order_id, currency
),

differing as (
    select
        order_id,
        currency,
        string_agg(distinct replace(kind, '_', ' '), ', ') as kinds,
        sum(at_stake) as at_stake,
        max(day) as last_day
    from backmarket.settlement_open_findings
    where account = %(account)s and order_id is not null and day between %(first_day)s and %(last_day)s
    group by order_id, currency
)

select
    'order' as story,
    coalesce(paid.order_id, differing.order_id)::text as subject,
    case when differing.order_id is null then 'no difference' else 'open difference' end as kind,
    coalesce(orders.country_code, '') as market,
    paid.sales,
    paid.fees,
    paid.refunds,
    paid.adjustments,
    paid.net as amount,
    coalesce(paid.currency, differing.currency) as currency,
    differing.at_stake,
    differing.kinds as why,
    differing.kinds as detail,
    greatest(paid.last_day, differing.last_day)::timestamp at time zone 'UTC' as since,
    concat_ws('/', coalesce(paid.order_id, differing.order_id), coalesce(paid.currency, differing.currency)) as topic
from paid
full join differing on paid.order_id = differing.order_id and paid.currency = differing.currency
left join backmarket.orders as orders
    on orders.account = %(account)s and orders.order_id = coalesce(paid.order_id, differing.order_id);
