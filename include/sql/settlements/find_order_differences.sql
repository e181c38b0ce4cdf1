-- Compare what orders say with what statements paid, order by order: those of the scope, or all there are.
-- :account, :everything, :tolerance, :due_days
--
-- Matching never uses dates. What is missing is only judged where loaded statements of that currency cover every day
-- from the event up to due_days later; what is there and wrong is judged at once.
insert into found_differences (
    kind, subject, order_id, invoice_ref, day, expected, actual, currency, expected_currency, detail, documents
)
with coverage as (
    select currency, range_agg(covers) as days
    from backmarket.settlement_statements
    where account = %(account)s and line_count > 0
    group by currency
),

-- Order by order, or all at once: neither way is quick for what the other is for.
expected as (
    select expectation.*
    from backmarket.settlement_expectations as expectation
    where %(everything)s and expectation.account = %(account)s
    union all
    select expectation.*
    from settlement_scope
    cross join lateral (
        select *
        from backmarket.settlement_expectations
        where account = %(account)s and order_id = settlement_scope.order_id
        offset 0
    ) as expectation
    where not %(everything)s
),

paid as (
    select
        line.order_id,
        sum(line.amount) filter (where line.role = 'sale' and line.currency = expected.currency) as sale,
        sum(line.amount) filter (where line.role = 'fee' and line.currency = expected.currency) as fee,
        sum(line.amount) filter (where line.role = 'refund' and line.currency = expected.currency) as refund,
        sum(line.amount) filter (where line.role = 'fee_credit' and line.currency = expected.currency) as credit,
        min(line.currency) filter (where line.currency <> expected.currency) as foreign_currency
    from expected
    inner join backmarket.settlement_lines as line
        on line.account = %(account)s and expected.order_id = line.order_id
    where line.tied_by is not null and not line.vanished
    group by line.order_id
),

-- Refunds that the ledger knows to be applied. A part of a line's price leaves the line as it is.
ours as (
    select
        expected.order_id,
        count(*) as refunds,
        sum(refund.amount) filter (where line.state is distinct from 5 and line.state is distinct from 6) as parts,
        max((refund.sent_at at time zone 'UTC')::date) as sent_on
    from expected
    inner join backmarket.refunds_sent as refund
        on refund.account = %(account)s and expected.order_id = refund.order_id
    left join backmarket.order_lines as line
        on line.account = %(account)s and refund.orderline_id = line.orderline_id
    where refund.status = 'confirmed'
    group by expected.order_id
),

compared as (
    select
        expected.*,
        coalesce(ours.refunds, 0) as refunds_ours,
        coalesce(ours.parts, 0) as refund_parts,
        coalesce(
            coverage.days @> daterange(ours.sent_on, ours.sent_on + %(due_days)s::integer, '[]'), false
        ) as ours_is_due,
        paid.sale, paid.fee, paid.refund, paid.credit, paid.foreign_currency,
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
    left join ours on expected.order_id = ours.order_id
    left join paid on expected.order_id = paid.order_id
    left join coverage on expected.currency = coverage.currency
),

amounts as (
    select
        *,
        coalesce(sale_shipped, 0) + with_ended * coalesce(sale_ended, 0) as sale_expected,
        -coalesce(fee_shipped, 0) - with_ended * coalesce(fee_ended, 0) as fee_expected,
        -coalesce(refund_shipped, 0) - with_ended * coalesce(refund_ended, 0) - refund_parts as refund_expected,
        coalesce(credit_shipped, 0) + with_ended * coalesce(credit_ended, 0) as credit_expected
    from compared
),

-- Most orders are settled to the cent: nothing more to ask of them.
questionable as (
    select *
    from amounts
    where
        not sales_known
        or foreign_currency is not null
        or coalesce(sale, 0) <> sale_expected
        or coalesce(fee, 0) <> fee_expected
        or coalesce(refund, 0) <> refund_expected
        or coalesce(credit, 0) <> credit_expected
),

verdicts as (
    select
        questionable.order_id, questionable.event_on, verdict.kind, verdict.expected, verdict.actual, verdict.detail,
        coalesce(verdict.other_currency, questionable.currency) as currency,
        case when verdict.other_currency is not null then questionable.currency end as expected_currency
    from questionable
    -- Of several other currencies the first that has a sale: amounts of two do not add up.
    left join lateral (
        select
            by_currency.currency,
            by_currency.sale,
            string_agg(by_currency.currency, ', ') over (
                order by by_currency.currency rows between unbounded preceding and unbounded following
            ) as currencies
        from (
            select line.currency, sum(line.amount) filter (where line.role = 'sale') as sale
            from backmarket.settlement_lines as line
            where
                line.account = %(account)s
                and line.order_id = questionable.order_id
                and line.tied_by is not null
                and not line.vanished
                and line.currency <> questionable.currency
            group by line.currency
        ) as by_currency
        order by by_currency.sale is null, by_currency.currency
        limit 1
    ) as other on questionable.foreign_currency is not null
    cross join lateral (
        values
        (
            'currency_mismatch', questionable.sale_expected, other.sale, other.currency,
            questionable.foreign_currency is not null,
            format('The order is in %%s, its statement rows are in %%s.', questionable.currency, other.currencies)
        ),
        (
            'missing_sale', questionable.sale_shipped, null, null,
            questionable.foreign_currency is null and questionable.lines_shipped > 0 and questionable.sale is null
            and questionable.sale_is_due,
            format('Shipped and in no statement within %%s days.', %(due_days)s::integer)
        ),
        (
            'sale_amount_difference', questionable.sale_expected, questionable.sale, null,
            questionable.foreign_currency is null and questionable.sales_known
            and abs(questionable.sale - questionable.sale_expected) > %(tolerance)s,
            'The statement''s sale is not what the order''s lines add up to.'
        ),
        (
            'fee_difference', questionable.fee_expected, coalesce(questionable.fee, 0), null,
            questionable.foreign_currency is null and questionable.fees_known and questionable.sale is not null
            and abs(coalesce(questionable.fee, 0) - questionable.fee_expected) > %(tolerance)s,
            'The commission taken is not the orderline_fee of the order.'
        ),
        (
            'refund_without_refunded_line', null, questionable.refund, null,
            questionable.foreign_currency is null and questionable.refund <> 0
            and questionable.lines_refunded = 0 and questionable.lines_cancelled = 0 and questionable.refund_parts = 0
            and not exists (
                select 1
                from backmarket.returns as parcel
                where parcel.account = %(account)s and parcel.order_id = questionable.order_id
            )
            and not exists (
                select 1
                from backmarket.care_folders as folder
                where folder.account = %(account)s and folder.order_id = questionable.order_id
            ),
            'The statement refunds an order without a refunded line, a refund of yours, a return or a care folder.'
        ),
        (
            'refunded_line_without_refund', questionable.refund_expected, null, null,
            questionable.foreign_currency is null and questionable.sale is not null and questionable.refund is null
            and questionable.refund_expected <> 0 and questionable.refund_is_due and questionable.refunds_ours = 0,
            format('A line is refunded, and no statement refunds it within %%s days.', %(due_days)s::integer)
        ),
        (
            'refund_not_in_statement', questionable.refund_expected, null, null,
            questionable.foreign_currency is null and questionable.sale is not null and questionable.refund is null
            and questionable.refund_expected <> 0 and questionable.ours_is_due,
            format('You refunded it, and no statement shows that within %%s days.', %(due_days)s::integer)
        ),
        (
            'refund_amount_difference', questionable.refund_expected, questionable.refund, null,
            questionable.foreign_currency is null and questionable.sales_known
            and (questionable.lines_refunded > 0 or questionable.refund_parts > 0)
            and abs(questionable.refund - questionable.refund_expected) > %(tolerance)s,
            'The statement refunds another amount than the refunded lines'' own.'
        ),
        (
            'refund_without_fee_credit', questionable.credit_expected, null, null,
            questionable.foreign_currency is null and questionable.fees_known and questionable.lines_refunded > 0
            and questionable.refund is not null and questionable.credit is null and questionable.credit_expected > %(tolerance)s,
            'The sale was refunded and its commission was not given back.'
        ),
        (
            'fee_credit_difference', questionable.credit_expected, questionable.credit, null,
            questionable.foreign_currency is null and questionable.fees_known and questionable.lines_refunded > 0
            and questionable.refund is not null and abs(questionable.credit - questionable.credit_expected) > %(tolerance)s,
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
    verdicts.expected_currency,
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
            order by line.invoice_ref, line.line_id
        ) as documents
    from backmarket.settlement_lines as line
    where
        line.account = %(account)s
        and line.order_id = verdicts.order_id
        and line.tied_by is not null
        and not line.vanished
) as evidence on true;
