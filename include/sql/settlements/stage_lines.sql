-- Where the rows of one file wait until all of it has been understood; gone with the transaction.
--
-- The server hashes rows while the next are being read. trim_scale makes 12.50 and 12.5 one amount: exports differ.
create temporary table staged_settlement_lines (
    invoice_ref text not null,
    line_no integer not null,
    invoice_key text not null,
    category text not null,
    role text not null,
    value_date date not null,
    sku text,
    number bigint,
    tracking_number text,
    designation text not null,
    amount numeric not null,
    currency text not null,
    occurrence integer not null,
    content_hash uuid not null generated always as (
        md5(
            invoice_ref || e'\x1f' || currency || e'\x1f' || invoice_key || e'\x1f' || (value_date - date '2000-01-01')::text
            || e'\x1f' || coalesce(sku, '')
            || e'\x1f' || coalesce(number::text, '') || e'\x1f' || designation || e'\x1f' || trim_scale(amount)::text
        )::uuid
    ) stored
) on commit drop
