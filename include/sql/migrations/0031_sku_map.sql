-- SKUs of the seller that feed listings of other names, and stock by warehouse.

-- Whoever may insert into seller.stock may do so by warehouse.
create or replace function backmarket.keep_by_warehouse() returns trigger
language plpgsql security definer set search_path = pg_catalog as $$
begin
    insert into seller.stock_by_warehouse as known (
        account, sku, warehouse, quantity, counted_at, safety_qty, max_qty, orders_known_until
    )
    values (
        new.account, new.sku, new.warehouse, new.quantity, new.counted_at, new.safety_qty, new.max_qty,
        new.orders_known_until
    )
    on conflict (account, sku, warehouse) do update set
        quantity = excluded.quantity,
        counted_at = excluded.counted_at,
        safety_qty = excluded.safety_qty,
        max_qty = excluded.max_qty,
        orders_known_until = excluded.orders_known_until;
    return null;
end $$;

revoke all on function backmarket.keep_by_warehouse() from public;

-- A table or view that the seller's systems have put in place already stays as it is, but for what they cannot miss.
do $$
begin
    if to_regclass('seller.sku_map') is null then
        create table seller.sku_map (
            account text not null default 'default',
            sku text not null,
            listing_sku text not null,
            units integer,
            primary key (account, sku, listing_sku)
        );

        comment on table seller.sku_map is
        'Which of the seller''s SKUs feed which listings; a SKU without a row feeds the listing of its own name.';
        comment on column seller.sku_map.units is 'How many of the SKU a unit of the listing takes; null: one.';
    end if;

    if to_regclass('seller.stock_by_warehouse') is null then
        create table seller.stock_by_warehouse (
            account text not null default 'default',
            sku text not null,
            warehouse text not null check (warehouse <> ''),
            quantity integer not null,
            counted_at timestamptz not null,
            safety_qty integer,
            max_qty integer,
            orders_known_until timestamptz,
            primary key (account, sku, warehouse)
        );

        comment on table seller.stock_by_warehouse is
        'Units on the shelf, one row per SKU and warehouse: the rows of a SKU add up. For the rest as seller.stock.';
    end if;

    -- Not a view, and not a table of somebody else's, which is read as it is.
    if not exists (
        select 1
        from pg_catalog.pg_class as relation
        where
            relation.oid = to_regclass('seller.stock')
            and relation.relkind in ('r', 'p') and pg_has_role(relation.relowner, 'usage')
    ) or exists (
        select 1
        from pg_catalog.pg_attribute as attribute
        where attribute.attrelid = to_regclass('seller.stock') and attribute.attname = 'warehouse'
    ) then
        return;
    end if;

    alter table seller.stock add column warehouse text;
    comment on column seller.stock.warehouse is
    'Empty: the row is about the whole SKU. A row that is inserted with one goes to seller.stock_by_warehouse.';

    -- Its key stays (account, sku), which upserts of sellers name; so rows by warehouse need a table of their own.
    create trigger keep_by_warehouse before insert on seller.stock
    for each row when (new.warehouse <> '') execute function backmarket.keep_by_warehouse();
end $$;

alter table backmarket.inventory add column fed_by jsonb;

comment on column backmarket.inventory.fed_by is
'The seller''s SKUs that the units come from: each with its quantity, how many of it a unit takes, and how many of it are
for this listing; null where that is the SKU of the same name alone.';
