-- What one reconciliation finds, before it is compared with the findings known.
create temporary table found_differences (
    kind text not null,
    subject text not null,
    order_id bigint,
    invoice_ref text,
    day date not null,
    expected numeric,
    actual numeric,
    currency text not null,
    detail text not null,
    documents jsonb not null,
    primary key (kind, subject)
) on commit drop
