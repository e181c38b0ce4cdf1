-- Orders in a state that is not known are told as findings.
alter table backmarket.inventory_findings drop constraint inventory_findings_kind_check;
alter table backmarket.inventory_findings add constraint inventory_findings_kind_check check (
    kind in (
        'stock_missing', 'stock_stale', 'stock_without_listing', 'price_without_listing', 'count_below_zero',
        'count_in_future', 'promised_too_much', 'sold_below_zero', 'order_state_unknown', 'sku_ambiguous',
        'held_by_zero_guard', 'quantity_changed_outside', 'price_changed_outside'
    )
);
