-- Close what was open, was looked at and is found no more; answers how many.
-- :account, :everything, :days
with looked_at as (
    select kind, subject
    from backmarket.settlement_findings
    where account = %(account)s and status = 'open' and (%(everything)s or kind = 'payout_never_released')
    union all
    select kind, subject
    from backmarket.settlement_findings
    where
        account = %(account)s
        and status = 'open'
        and kind in (
            'line_changed', 'line_vanished', 'unknown_key', 'unknown_order_reference', 'no_value_date',
            'sale_without_order'
        )
        and day = any(%(days)s::date [])
    union all
    select finding.kind, finding.subject
    from settlement_scope
    inner join backmarket.settlement_findings as finding
        on finding.account = %(account)s and settlement_scope.order_id = finding.order_id
    where
        finding.status = 'open'
        and finding.kind not in (
            'line_changed', 'line_vanished', 'unknown_key', 'unknown_order_reference', 'no_value_date',
            'sale_without_order'
        )
),

closed as (
    update backmarket.settlement_findings as stored
    set status = 'closed', closed_at = now()
    from looked_at
    where
        stored.account = %(account)s
        and stored.kind = looked_at.kind
        and stored.subject = looked_at.subject
        and not exists (
            select 1
            from found_differences as found
            where found.kind = stored.kind and found.subject = stored.subject
        )
    returning stored.kind, stored.subject, stored.status, stored.expected, stored.actual
),

noted as (
    insert into backmarket.settlement_finding_history (account, kind, subject, status, expected, actual)
    select %(account)s, kind, subject, status, expected, actual
    from closed
)

select count(*) from closed;
