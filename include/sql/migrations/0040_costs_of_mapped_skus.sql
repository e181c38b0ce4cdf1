-- A listing that seller.sku_map feeds costs what the units of the SKUs do that one of it takes.

create or replace function backmarket.costs_given()
returns table (account text, sku_key text, unit_cost numeric, currency text, vat_scheme text)
language sql stable
as $$
    with read as (
        select
            cost.account::text as account,
            backmarket.sku_key(cost.sku::text) as sku_key,
            backmarket.plain_amount(cost.unit_cost::text) as unit_cost,
            backmarket.currency_code(cost.currency::text) as currency,
            lower(btrim(cost.vat_scheme::text, e' \t\r\n')) as vat_scheme
        from seller.costs as cost
    ),

    own as (
        select
            read.account,
            read.sku_key,
            min(read.unit_cost) as unit_cost,
            min(read.currency) as currency,
            min(read.vat_scheme) as vat_scheme
        from read
        where read.unit_cost >= 0 and read.currency is not null and read.vat_scheme in ('margin', 'standard')
        group by read.account, read.sku_key
        having
            (min(read.unit_cost), min(read.currency), min(read.vat_scheme))
            = (max(read.unit_cost), max(read.currency), max(read.vat_scheme))
    ),

    mapped as (
        select
            map.account::text as account,
            backmarket.sku_key(map.sku::text) as sku_key,
            backmarket.sku_key(map.listing_sku::text) as listing_key,
            case
                when map.units is null or btrim(map.units::text, e' \t\r\n') = '' then 1
                when backmarket.plain_number(map.units::text) ~ '^[1-9]\d{0,8}$'
                    then backmarket.plain_number(map.units::text)::integer
            end as units
        from seller.sku_map as map
    ),

    -- Null where a row cannot be read, or two differ.
    feeding as (
        select
            mapped.account,
            mapped.sku_key,
            mapped.listing_key,
            case
                when bool_and(mapped.units is not null and mapped.listing_key is not null)
                    and min(mapped.units) = max(mapped.units)
                    then min(mapped.units)
            end as units
        from mapped
        group by mapped.account, mapped.sku_key, mapped.listing_key
    )

    select fed.account, fed.sku_key, min(fed.unit_cost), min(fed.currency), min(fed.vat_scheme)
    from (
        -- A SKU without a row feeds the listing of its own name.
        select own.*
        from own
        where not exists (select 1 from feeding where feeding.account = own.account and feeding.sku_key = own.sku_key)
        union all
        select own.account, feeding.listing_key, own.unit_cost * feeding.units, own.currency, own.vat_scheme
        from own
        inner join feeding on own.account = feeding.account and own.sku_key = feeding.sku_key
        where
            -- What else a SKU with such a row feeds is not known: it feeds nothing.
            not exists (
                select 1
                from feeding as other
                where other.account = own.account and other.sku_key = own.sku_key and other.units is null
            )
    ) as fed
    group by fed.account, fed.sku_key
    having
        (min(fed.unit_cost), min(fed.currency), min(fed.vat_scheme))
        = (max(fed.unit_cost), max(fed.currency), max(fed.vat_scheme))
$$;

comment on function backmarket.costs_given is
'What a unit of each listing costs, by its SKU as backmarket.sku_key() has it: what can be read of seller.costs, of the SKUs
that feed it by seller.sku_map; where rows of one SKU differ, or SKUs that feed it, none.';
