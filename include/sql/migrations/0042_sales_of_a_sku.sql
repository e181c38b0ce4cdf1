-- A page that shows the newest sales of a SKU finds them by index, however seldom or often it was sold.
drop index backmarket.order_lines_by_sku;

create index order_lines_by_sku on backmarket.order_lines (account, sku, date_creation);

-- The only lines that are looked for by their state are those that were paid back after shipping.
create index order_lines_refunded on backmarket.order_lines (account, order_id) where state = 6;
