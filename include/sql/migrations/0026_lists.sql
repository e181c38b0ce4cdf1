-- What the page's lists and its search need to stay quick with hundreds of thousands of orders.

-- Units sold by SKU since a day, without reading the lines.
create index order_lines_by_day on backmarket.order_lines (account, date_creation) include (sku, quantity, state)
where gone_at is null;

-- A part of a number is looked for in the index alone. IMEIs have such an index already.
create index orders_by_tracking on backmarket.orders (account, tracking_number) where tracking_number is not null;
create index order_lines_by_serial_number on backmarket.order_lines (account, serial_number)
where serial_number is not null;
