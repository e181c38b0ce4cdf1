-- One row per SKU with stock.
copy backmarket.inventory (
    account, sku, id, stock, reserved, held, safety_qty, max_qty, sellable, shown, wanted, reason, planned_at
) from stdin
