-- Store what was found: new, changed or come back; answers how many. What is known and unchanged is left alone.
-- :account
with changed as (
    insert into backmarket.settlement_findings as stored (
        account, kind, subject, order_id, invoice_ref, day, expected, actual, currency, detail, documents, status
    )
    select
        %(account)s, kind, subject, order_id, invoice_ref, day, expected, actual, currency, detail, documents, 'open'
    from found_differences
    on conflict (account, kind, subject) do update set
        order_id = excluded.order_id,
        invoice_ref = excluded.invoice_ref,
        day = excluded.day,
        expected = excluded.expected,
        actual = excluded.actual,
        currency = excluded.currency,
        detail = excluded.detail,
        documents = excluded.documents,
        status = 'open',
        opened_at = case when stored.status = 'open' then stored.opened_at else excluded.opened_at end,
        closed_at = null
    where
        (
            stored.status, stored.day, stored.expected, stored.actual, stored.currency, stored.detail, stored.documents
        ) is distinct from (
            'open', excluded.day, excluded.expected, excluded.actual, excluded.currency, excluded.detail,
            excluded.documents
        )
    returning stored.kind, stored.subject, stored.status, stored.expected, stored.actual
),

noted as (
    insert into backmarket.settlement_finding_history (account, kind, subject, status, expected, actual)
    select %(account)s, kind, subject, status, expected, actual
    from changed
)

select count(*) from changed
