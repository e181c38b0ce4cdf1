-- A page that shows the newest sales of a SKU finds them by index, however seldom or often it was sold. Nothing asks for
-- the lines of a SKU by their state.
drop index backmarket.order_lines_by_sku;

create index order_lines_by_sku on backmarket.order_lines (account, sku, date_creation);
