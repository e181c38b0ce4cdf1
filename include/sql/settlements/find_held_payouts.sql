-- Payouts held back and not released, although statements cover due_days after.
-- :account, :tolerance, :due_days
--
-- The number in a designation says which release belongs to which retention; without one, the amount does.
insert into found_differences (
    kind, subject, order_id, invoice_ref, day, expected, actual, currency, detail, documents
)
with coverage as (
    select currency, range_agg(covers) as days
    from backmarket.settlement_statements
    where account = %(account)s and line_count > 0
    group by currency
),

payouts as (
    select
        currency,
        coalesce(substring(designation from '\d{6,}'), trim_scale(abs(amount))::text) as reference,
        max(value_date) filter (where role = 'retained') as held_on,
        max(invoice_ref) filter (where role = 'retained') as invoice_ref,
        -sum(amount) filter (where role = 'retained') as held,
        sum(amount) filter (where role = 'released') as released,
        jsonb_agg(
            jsonb_build_object(
                'invoice_ref', invoice_ref, 'line_no', line_no, 'invoice_key', invoice_key,
                'amount', amount::text, 'currency', currency
            )
            order by invoice_ref, line_id
        ) as documents
    from backmarket.settlement_lines
    where account = %(account)s and role in ('retained', 'released') and not vanished
    group by 1, 2
)

select
    'payout_never_released',
    concat_ws('/', payouts.currency, payouts.reference),
    null,
    payouts.invoice_ref,
    payouts.held_on,
    payouts.held,
    payouts.released,
    payouts.currency,
    format('Held back and not wholly released within %%s days.', %(due_days)s::integer),
    payouts.documents
from payouts
inner join coverage on payouts.currency = coverage.currency
where
    payouts.held - coalesce(payouts.released, 0) > %(tolerance)s
    and coverage.days @> daterange(payouts.held_on, payouts.held_on + %(due_days)s::integer, '[]');
