-- Where the rows of one file wait until all of it has been understood; gone with the transaction.
create temporary table staged_settlement_lines (
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
    currency text not null
) on commit drop
