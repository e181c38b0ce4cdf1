-- Statement rows are kept that name their order in a form that is no order id, or that have no date.

alter table backmarket.settlement_lines
    add column order_reference text,
    add column is_undated boolean not null default false;

comment on column backmarket.settlement_lines.order_reference is
'What the column order_id says where it is no order id, such as a UUID. It may be personal: it is in no log or finding.';
comment on column backmarket.settlement_lines.is_undated is
'The row has no date: value_date is the statement''s date of issue or, where that is not known, the latest in the file.';

alter table backmarket.settlement_findings drop constraint settlement_findings_kind_check;
alter table backmarket.settlement_findings add constraint settlement_findings_kind_check check (
    kind in (
        'missing_sale', 'sale_without_order', 'sale_amount_difference', 'fee_difference',
        'refund_without_refunded_line', 'refunded_line_without_refund', 'refund_amount_difference',
        'refund_without_fee_credit', 'fee_credit_difference', 'currency_mismatch', 'line_changed', 'line_vanished',
        'unknown_key', 'unknown_order_reference', 'no_value_date', 'payout_never_released'
    )
);
