-- What the seller's systems count is read in one place.

-- A view in place of a table need not have all columns yet: what it lacks is told by whoever reads it.
set local check_function_bodies = off;

create or replace function backmarket.stock_rows(whose text) returns table (
    sku text, quantity text, counted_at text, safety_qty text, max_qty text, orders_known_until text, warehouse text
)
language sql stable as $$
    select
        stock.sku::text,
        stock.quantity::text,
        stock.counted_at::text,
        -- Through JSON, as a view need not have these columns.
        to_jsonb(stock) ->> 'safety_qty',
        to_jsonb(stock) ->> 'max_qty',
        to_jsonb(stock) ->> 'orders_known_until',
        nullif(to_jsonb(stock) ->> 'warehouse', '')
    from seller.stock as stock
    where stock.account::text = whose
    union all
    select
        stock.sku::text,
        stock.quantity::text,
        stock.counted_at::text,
        stock.safety_qty::text,
        stock.max_qty::text,
        stock.orders_known_until::text,
        stock.warehouse::text
    from seller.stock_by_warehouse as stock
    where stock.account::text = whose
$$;

comment on function backmarket.stock_rows(text) is
'What the seller''s systems count for an account, as texts: the rows of seller.stock and of seller.stock_by_warehouse.';
