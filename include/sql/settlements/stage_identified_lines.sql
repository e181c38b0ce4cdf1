-- The rows of one file with their identity and their order; gone with the transaction.
create temporary table identified_settlement_lines (
    like staged_settlement_lines,
    content_hash uuid not null,
    occurrence integer not null,
    order_id bigint,
    tied_by text
) on commit drop
