-- Forget what was staged, once it is merged.
truncate staged_orders, staged_order_lines, staged_order_addresses
