-- What came back and was not refunded, and what was refunded and never came back: of the scope's orders, or of all.
-- :account, :everything, :refund_after_return_days, :return_after_refund_days
--
-- Time alone makes these due, statements do not: fill_scope looks at each order again on the day. A refund that came
-- before returns were known for a month may have had its return before; a part that was paid back asks for none.
insert into found_differences (
    kind, subject, order_id, invoice_ref, day, expected, actual, currency, detail, documents
)
with lines as (
    select expected.*
    from backmarket.settlement_expected_lines as expected
    where %(everything)s and expected.account = %(account)s
    union all
    select expected.*
    from settlement_scope
    cross join lateral (
        select *
        from backmarket.settlement_expected_lines
        where account = %(account)s and order_id = settlement_scope.order_id
        offset 0
    ) as expected
    where not %(everything)s
),

returned as (
    select
        lines.order_id,
        lines.orderline_id,
        min((parcel.date_delivery at time zone 'UTC')::date) as returned_on
    from lines
    inner join backmarket.returns as parcel
        on
            parcel.account = %(account)s and lines.order_id = parcel.order_id
            and (parcel.orderline_id is null or lines.orderline_id = parcel.orderline_id)
    where parcel.date_delivery is not null and lines.state in (2, 3)
    group by lines.order_id, lines.orderline_id
),

not_refunded as (
    select returned.order_id, min(returned.returned_on) as returned_on
    from returned
    where
        returned.returned_on < (now() at time zone 'UTC')::date - %(refund_after_return_days)s::integer
        and not exists (
            select 1
            from backmarket.refunds_sent as refund
            where
                refund.account = %(account)s and refund.order_id = returned.order_id
                and refund.orderline_id = returned.orderline_id and refund.status in ('sent', 'unknown', 'confirmed')
        )
        and not exists (
            select 1
            from backmarket.settlement_lines as line
            where
                line.account = %(account)s and line.order_id = returned.order_id and line.role = 'refund'
                and line.tied_by is not null and not line.vanished
        )
    group by returned.order_id
),

-- A lost parcel, or one that never reached the customer, brings no return.
refunded as (
    select
        lines.order_id,
        lines.orderline_id,
        coalesce((ours.sent_at at time zone 'UTC')::date, lines.changed_on) as refunded_on
    from lines
    inner join backmarket.order_lines as line
        on line.account = %(account)s and lines.orderline_id = line.orderline_id
    left join lateral (
        select min(refund.sent_at) as sent_at
        from backmarket.refunds_sent as refund
        where
            refund.account = %(account)s and refund.order_id = lines.order_id
            and refund.orderline_id = lines.orderline_id and refund.status = 'confirmed' and refund.kind = 'refund'
    ) as ours on true
    where lines.state = 6 and coalesce(line.return_reason, 0) not in (11, 12, 13)
),

not_returned as (
    select refunded.order_id, min(refunded.refunded_on) as refunded_on
    from refunded
    inner join backmarket.after_sales_parts as part
        on part.account = %(account)s and part.part = 'returns'
    where
        refunded.refunded_on < (now() at time zone 'UTC')::date - %(return_after_refund_days)s::integer
        and refunded.refunded_on >= (part.known_since at time zone 'UTC')::date + 30
        and not exists (
            select 1
            from backmarket.returns as parcel
            where
                parcel.account = %(account)s and parcel.order_id = refunded.order_id
                and (parcel.orderline_id is null or parcel.orderline_id = refunded.orderline_id)
        )
    group by refunded.order_id
)

select
    found.kind,
    found.order_id::text,
    found.order_id,
    null,
    found.day,
    found.expected,
    null,
    found.currency,
    found.detail,
    '[]'
from (
    select
        'returned_not_refunded' as kind,
        not_refunded.order_id,
        not_refunded.returned_on as day,
        -(select sum(sale) from lines where lines.order_id = not_refunded.order_id and lines.state in (2, 3)) as expected,
        (select min(currency) from lines where lines.order_id = not_refunded.order_id) as currency,
        format('It came back and was not refunded within %%s days.', %(refund_after_return_days)s::integer) as detail
    from not_refunded
    union all
    select
        'refunded_not_returned',
        not_returned.order_id,
        not_returned.refunded_on,
        null,
        (select min(currency) from lines where lines.order_id = not_returned.order_id),
        format('It was refunded and did not come back within %%s days.', %(return_after_refund_days)s::integer)
    from not_returned
) as found
where found.currency is not null;
