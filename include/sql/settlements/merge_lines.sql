-- Store the rows of one file that are not stored yet; answers how many were new.
-- :account, :invoice_ref, :is_newest
--
-- Rows of an export older than what is stored are taken too, as vanished: the newer export lacks them. A row that an
-- even newer export has again is no longer vanished.
with merged as (
    insert into backmarket.settlement_lines as stored (
        account, invoice_ref, currency, content_hash, occurrence, line_no, invoice_key, category, role, value_date,
        sku, order_id, number, tracking_number, tied_by, designation, amount, vanished
    )
    select
        %(account)s, %(invoice_ref)s, currency, content_hash, occurrence, line_no, invoice_key, category, role,
        value_date, sku, order_id, number, tracking_number, tied_by, designation, amount, not %(is_newest)s
    from identified_settlement_lines
    on conflict (account, invoice_ref, currency, content_hash, occurrence) do update set
        vanished = false
    where stored.vanished and %(is_newest)s
    returning stored.value_date
),

stale as (
    insert into backmarket.settlement_stale_days (account, day)
    select distinct %(account)s, value_date
    from merged
)

select count(*) from merged
