-- The newest lines of a SKU that tell a commission are found by index, however many lines it has.
create index order_lines_commissions on backmarket.order_lines (account, backmarket.sku_key(sku), orderline_id desc)
where orderline_fee > 0 and price > 0 and quantity = 1;
