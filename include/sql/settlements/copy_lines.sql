-- One row per row of a statement file; {table} is settlement_lines itself where the statement is new.
copy {table} (
    account, invoice_ref, line_id, line_no, currency, invoice_key, category, role, value_date, is_undated, sku,
    order_id, number, order_reference, tracking_number, tied_by, designation, amount, first_export, last_export, vanished
) from stdin
