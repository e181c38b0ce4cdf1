-- SKUs of the seller that feed listings of other names, and stock by warehouse.

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

    alter table seller.stock add column warehouse text not null default '';
    comment on column seller.stock.warehouse is
    'Where the units are; the rows of a SKU add up. Empty: the row is about the whole SKU.';

    if exists (
        select 1
        from pg_catalog.pg_constraint as own
        where
            own.conrelid = to_regclass('seller.stock') and own.contype = 'p' and own.conname = 'stock_pkey'
            and pg_get_constraintdef(own.oid) = 'PRIMARY KEY (account, sku)'
            and not exists (
                select 1 from pg_catalog.pg_constraint as other where other.confrelid = own.conrelid
            )
    ) then
        alter table seller.stock drop constraint stock_pkey;
        alter table seller.stock add constraint stock_pkey primary key (account, sku, warehouse);
    end if;
end $$;

alter table backmarket.inventory add column fed_by jsonb;

comment on column backmarket.inventory.fed_by is
'The seller''s SKUs that the units come from: each with its quantity, how many of it a unit takes, and how many of it are
for this listing; null where that is the SKU of the same name alone.';
