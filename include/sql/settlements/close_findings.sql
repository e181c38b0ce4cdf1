-- Close what was open within the scope and is found no more; answers how many.
-- :account, :everything, :days
with closed as (
    update backmarket.settlement_findings as stored
    set status = 'closed', closed_at = now()
    where
        stored.account = %(account)s
        and stored.status = 'open'
        and (
            %(everything)s
            or stored.kind = 'payout_never_released'
            or (
                stored.kind in (
                    'line_changed', 'line_vanished', 'unknown_key', 'unknown_order_reference', 'no_value_date',
                    'sale_without_order'
                )
                and stored.day = any(%(days)s)
            )
            or (
                stored.kind not in (
                    'line_changed', 'line_vanished', 'unknown_key', 'unknown_order_reference', 'no_value_date',
                    'sale_without_order'
                )
                and stored.order_id in (select order_id from settlement_scope)
            )
        )
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
