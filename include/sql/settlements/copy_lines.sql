-- One row per row of a statement file.
copy staged_settlement_lines (
    invoice_ref, line_no, invoice_key, category, role, value_date, sku, number, tracking_number, designation, amount,
    currency, occurrence
) from stdin
