-- Statement rows that are a finding by themselves: unknown keys, vanished rows, sales of no order known.
-- :account, :everything, :days
--
-- A number that no stored order has is a finding only once Back Market, asked for it, has answered that there is none.
insert into found_differences (
    kind, subject, order_id, invoice_ref, day, expected, actual, currency, detail, documents
)
select
    verdict.kind,
    concat_ws('/', line.invoice_ref, line.currency, line.content_hash, line.occurrence),
    line.order_id,
    line.invoice_ref,
    line.value_date,
    case when line.vanished then line.amount end,
    case when not line.vanished then line.amount end,
    line.currency,
    verdict.detail,
    jsonb_build_array(
        jsonb_build_object(
            'invoice_ref', line.invoice_ref, 'line_no', line.line_no, 'invoice_key', line.invoice_key,
            'amount', line.amount::text, 'currency', line.currency
        )
    )
from backmarket.settlement_lines as line
cross join lateral (
    values
    (
        'line_vanished', line.vanished,
        'An earlier export of this statement has the row, the newest does not: it was changed or taken out.'
    ),
    (
        'unknown_key', line.category = 'unknown' and not line.vanished,
        format('The key %%s is not known: counted in the total, left out of the net.', line.invoice_key)
    ),
    (
        'sale_without_order',
        line.role = 'sale' and line.tied_by is null and not line.vanished
        and (
            line.number is null
            or exists (
                select 1
                from backmarket.settlement_unknown_orders as tried
                where tried.account = line.account and tried.number = line.number
            )
        ),
        case
            when line.number is null then 'The row names no order.'
            else format('Back Market has no order %%s.', line.number)
        end
    )
) as verdict (kind, applies, detail)
where
    line.account = %(account)s
    and (line.vanished or line.category = 'unknown' or (line.role = 'sale' and line.tied_by is null))
    and verdict.applies
    and (%(everything)s or line.value_date = any(%(days)s))
