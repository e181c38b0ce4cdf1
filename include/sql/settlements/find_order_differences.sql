-- Compare what orders say with what statements paid, order by order, within the scope.
-- :account, :tolerance, :due_days
--
-- Matching never uses dates. What is missing is only judged where loaded statements of that currency cover every day
-- from the event up to due_days later; what is there and wrong is judged at once.
insert into found_differences (
    kind, subject, order_id, invoice_ref, day, expected, actual, currency, detail, documents
)
with coverage as (
    select currency, range_agg(covers) as days
    from backmarket.settlement_statements
    where account = %(account)s and line_count > 0
    group by currency
),

expected as (
    select expectation.*
    from settlement_scope
    inner join backmarket.settlement_expectations as expectation
        on expectation.account = %(account)s and settlement_scope.order_id = expectation.order_id
),

paid as (
    select
        line.order_id,
        sum(line.amount) filter (where line.role = 'sale' and line.currency = expected.currency) as sale,
        sum(line.amount) filter (where line.role = 'fee' and line.currency = expected.currency) as fee,
        sum(line.amount) filter (where line.role = 'refund' and line.currency = expected.currency) as refund,
        sum(line.amount) filter (where line.role = 'fee_credit' and line.currency = expected.currency) as credit,
        min(line.currency) filter (where line.currency <> expected.currency) as foreign_currency,
        sum(line.amount) filter (where line.role = 'sale' and line.currency <> expected.currency) as foreign_sale
    from expected
    inner join backmarket.settlement_lines as line
        on line.account = %(account)s and expected.order_id = line.order_id
    where line.tied_by is not null and not line.vanished
    group by line.order_id
),

compared as (
    select
        expected.*,
        paid.sale, paid.fee, paid.refund, paid.credit, paid.foreign_currency, paid.foreign_sale,
        -- Lines that ended before shipping count where the sale comes closer with them than without.
        case
            when
                abs(coalesce(paid.sale, 0) - coalesce(sale_shipped, 0) - coalesce(sale_ended, 0))
                < abs(coalesce(paid.sale, 0) - coalesce(sale_shipped, 0))
                then 1
            else 0
        end as with_ended,
        coalesce(shipped_on, changed_on) as event_on,
        coalesce(
            coverage.days
            @> daterange(coalesce(shipped_on, changed_on), coalesce(shipped_on, changed_on) + %(due_days)s::integer, '[]'),
            false
        ) as sale_is_due,
        coalesce(
            coverage.days @> daterange(changed_on, changed_on + %(due_days)s::integer, '[]'), false
        ) as refund_is_due
    from expected
    left join paid on expected.order_id = paid.order_id
    left join coverage on expected.currency = coverage.currency
),

amounts as (
    select
        *,
        coalesce(sale_shipped, 0) + with_ended * coalesce(sale_ended, 0) as sale_expected,
        -coalesce(fee_shipped, 0) - with_ended * coalesce(fee_ended, 0) as fee_expected,
        -coalesce(refund_shipped, 0) - with_ended * coalesce(refund_ended, 0) as refund_expected,
        coalesce(credit_shipped, 0) + with_ended * coalesce(credit_ended, 0) as credit_expected
    from compared
),

verdicts as (
    select
        amounts.order_id, amounts.event_on, verdict.kind, verdict.expected, verdict.actual, verdict.detail,
        coalesce(verdict.other_currency, amounts.currency) as currency
    from amounts
    cross join lateral (
        values
        (
            'currency_mismatch', amounts.sale_expected, amounts.foreign_sale, amounts.foreign_currency,
            amounts.foreign_currency is not null,
            format('The order is in %%s, its statement rows are in %%s.', amounts.currency, amounts.foreign_currency)
        ),
        (
            'missing_sale', amounts.sale_shipped, null, null,
            amounts.foreign_currency is null and amounts.lines_shipped > 0 and amounts.sale is null
            and amounts.sale_is_due,
            format('Shipped and in no statement within %%s days.', %(due_days)s::integer)
        ),
        (
            'sale_amount_difference', amounts.sale_expected, amounts.sale, null,
            amounts.foreign_currency is null and amounts.sales_known
            and abs(amounts.sale - amounts.sale_expected) > %(tolerance)s,
            'The statement''s sale is not what the order''s lines add up to.'
        ),
        (
            'fee_difference', amounts.fee_expected, coalesce(amounts.fee, 0), null,
            amounts.foreign_currency is null and amounts.fees_known and amounts.sale is not null
            and abs(coalesce(amounts.fee, 0) - amounts.fee_expected) > %(tolerance)s,
            'The commission taken is not the orderline_fee of the order.'
        ),
        (
            'refund_without_refunded_line', null, amounts.refund, null,
            amounts.foreign_currency is null and amounts.refund <> 0
            and amounts.lines_refunded = 0 and amounts.lines_cancelled = 0,
            'The statement refunds an order of which no line is refunded.'
        ),
        (
            'refunded_line_without_refund', amounts.refund_expected, null, null,
            amounts.foreign_currency is null and amounts.sale is not null and amounts.refund is null
            and amounts.refund_expected <> 0 and amounts.refund_is_due,
            format('A line is refunded, and no statement refunds it within %%s days.', %(due_days)s::integer)
        ),
        (
            'refund_amount_difference', amounts.refund_expected, amounts.refund, null,
            amounts.foreign_currency is null and amounts.sales_known and amounts.lines_refunded > 0
            and abs(amounts.refund - amounts.refund_expected) > %(tolerance)s,
            'The statement refunds another amount than the refunded lines'' own.'
        ),
        (
            'refund_without_fee_credit', amounts.credit_expected, null, null,
            amounts.foreign_currency is null and amounts.fees_known and amounts.lines_refunded > 0
            and amounts.refund is not null and amounts.credit is null and amounts.credit_expected > %(tolerance)s,
            'The sale was refunded and its commission was not given back.'
        ),
        (
            'fee_credit_difference', amounts.credit_expected, amounts.credit, null,
            amounts.foreign_currency is null and amounts.fees_known and amounts.lines_refunded > 0
            and amounts.refund is not null and abs(amounts.credit - amounts.credit_expected) > %(tolerance)s,
            'The commission given back is not the refunded lines'' own.'
        )
    ) as verdict (kind, expected, actual, other_currency, applies, detail)
    where verdict.applies
)

select
    verdicts.kind,
    verdicts.order_id::text,
    verdicts.order_id,
    evidence.invoice_ref,
    verdicts.event_on,
    verdicts.expected,
    verdicts.actual,
    verdicts.currency,
    verdicts.detail,
    coalesce(evidence.documents, '[]')
from verdicts
left join lateral (
    select
        max(line.invoice_ref) as invoice_ref,
        jsonb_agg(
            jsonb_build_object(
                'invoice_ref', line.invoice_ref, 'line_no', line.line_no, 'invoice_key', line.invoice_key,
                'amount', line.amount::text, 'currency', line.currency
            )
            order by line.invoice_ref, line.line_no, line.content_hash, line.occurrence
        ) as documents
    from backmarket.settlement_lines as line
    where
        line.account = %(account)s
        and line.order_id = verdicts.order_id
        and line.tied_by is not null
        and not line.vanished
) as evidence on true
