-- A cost beside a row of the same SKU or device that cannot be read is not known: nobody can tell which one holds. The SKU
-- of a listing's own name needs a cost where there are units of it.

create function backmarket.counted_skus(whose text) returns setof text
language plpgsql stable
as $$
begin
    return query
    select distinct backmarket.sku_key(stock.sku)
    from backmarket.stock_rows(whose) as stock
    where backmarket.sku_key(stock.sku) <> '';
exception
    -- Whatever a view in place of the table fails with: it costs no other answer.
    when others then
        return next null;
end
$$;

comment on function backmarket.counted_skus(text) is
'The SKUs that seller.stock counts, as backmarket.sku_key() has them; a null alone where it cannot be read.';

create or replace function backmarket.listing_costs()
returns table (
    account text,
    sku_key text,
    unit_cost numeric,
    currency text,
    vat_scheme text,
    cost_reason text,
    vat_reason text
)
language sql stable
as $$
    with read as (
        select
            given.*,
            coalesce(
                given.unit_cost >= 0 and given.currency is not null and given.vat_scheme in ('margin', 'standard'), false
            ) as is_usable
        from (
            select
                cost.account::text as account,
                backmarket.sku_key(cost.sku::text) as sku_key,
                backmarket.plain_amount(cost.unit_cost::text) as unit_cost,
                backmarket.currency_code(cost.currency::text) as currency,
                lower(btrim(cost.vat_scheme::text, e' \t\r\n')) as vat_scheme
            from seller.costs as cost
        ) as given
    ),

    judged as (
        select
            read.account,
            read.sku_key,
            bool_or(read.is_usable) as is_said,
            bool_and(read.is_usable) as is_read,
            (min(read.unit_cost), min(read.currency), min(read.vat_scheme))
            = (max(read.unit_cost), max(read.currency), max(read.vat_scheme)) as agrees,
            min(read.vat_scheme) = max(read.vat_scheme) as has_one_scheme,
            min(read.unit_cost) as unit_cost,
            min(read.currency) as currency,
            min(read.vat_scheme) as vat_scheme
        from read
        where read.sku_key <> ''
        group by read.account, read.sku_key
    ),

    -- Without a cost, and with the reason, where a row cannot be read or two differ.
    own as (
        select
            judged.account,
            judged.sku_key,
            case when judged.is_read and judged.agrees then judged.unit_cost end as unit_cost,
            case when judged.is_read then judged.currency end as currency,
            case when judged.is_read and judged.has_one_scheme then judged.vat_scheme end as vat_scheme,
            case
                when not judged.is_said then 'seller.costs has no row for %s that can be used.'
                when not judged.is_read then 'A row of seller.costs for %s cannot be used.'
                when not judged.agrees then 'Rows of seller.costs for %s differ.'
            end as reason
        from judged
    ),

    mapped as (
        select
            map.account::text as account,
            backmarket.clean_sku(map.sku::text) as sku,
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
            min(mapped.sku) as sku,
            case
                when
                    bool_and(
                        mapped.units is not null
                        and coalesce(mapped.sku_key, '') <> '' and coalesce(mapped.listing_key, '') <> ''
                    )
                    and min(mapped.units) = max(mapped.units)
                    then min(mapped.units)
            end as units
        from mapped
        group by mapped.account, mapped.sku_key, mapped.listing_key
    ),

    -- What else a SKU with such a row feeds is not known, either.
    unusable as (
        select distinct feeding.account, feeding.sku_key
        from feeding
        where feeding.units is null
    ),

    counted as materialized (
        select accounts.account, counted.sku_key
        from (select distinct feeding.account from feeding) as accounts
        cross join lateral backmarket.counted_skus(accounts.account) as counted (sku_key)
    ),

    fed as (
        -- A SKU without a row feeds the listing of its own name.
        select
            own.account,
            own.sku_key as listing_key,
            null as feeder,
            own.unit_cost,
            own.currency,
            own.vat_scheme,
            true as is_clear,
            format(own.reason, 'the SKU') as reason
        from own
        where not exists (select 1 from feeding where feeding.account = own.account and feeding.sku_key = own.sku_key)
        union all
        select
            feeding.account,
            feeding.listing_key,
            feeder.sku,
            case when unusable.account is null then own.unit_cost * feeding.units end,
            case when unusable.account is null then own.currency end,
            case when unusable.account is null then own.vat_scheme end,
            unusable.account is null,
            case
                when unusable.account is not null then 'A row of seller.sku_map for the SKU cannot be used.'
                else
                    format(
                        case
                            when own.sku_key is null then 'seller.costs has no row for %s that can be used.' else own.reason
                        end,
                        coalesce(feeder.sku || ', which feeds the SKU,', 'the SKU')
                    )
            end
        from feeding
        cross join lateral (
            select case when feeding.sku_key <> feeding.listing_key then feeding.sku end as sku
        ) as feeder
        left join own on feeding.account = own.account and feeding.sku_key = own.sku_key
        left join unusable
            on feeding.account = unusable.account and feeding.sku_key is not distinct from unusable.sku_key
        where feeding.listing_key <> ''
        union all
        -- Where others feed it, too, its name may be the name alone: then there is no such SKU to have a cost.
        select
            named.account,
            named.listing_key,
            null,
            null,
            null,
            null,
            true,
            case
                when counted.sku_key is null
                    then 'seller.stock, which says whether there are units of the SKU itself, cannot be read.'
                else 'seller.costs has no row for the SKU, which seller.stock counts, that can be used.'
            end
        from (select distinct feeding.account, feeding.listing_key from feeding where feeding.listing_key <> '') as named
        inner join counted
            on named.account = counted.account and coalesce(counted.sku_key, named.listing_key) = named.listing_key
        where
            not exists (
                select 1 from feeding
                where feeding.account = named.account and feeding.sku_key = named.listing_key
            )
            and not exists (select 1 from own where own.account = named.account and own.sku_key = named.listing_key)
        union all
        -- A SKU that feeds nobody knows what may be meant for its own name.
        select
            unusable.account, unusable.sku_key, null, null, null, null, false,
            'A row of seller.sku_map for the SKU cannot be used.'
        from unusable
        where
            unusable.sku_key <> ''
            and not exists (
                select 1 from feeding
                where feeding.account = unusable.account and feeding.listing_key = unusable.sku_key
            )
    ),

    listings as (
        select
            fed.account,
            fed.listing_key,
            bool_and(fed.unit_cost is not null)
            and (min(fed.unit_cost), min(fed.currency)) = (max(fed.unit_cost), max(fed.currency)) as is_known,
            min(fed.unit_cost) as unit_cost,
            min(fed.currency) as currency,
            case
                when bool_and(fed.vat_scheme is not null) and min(fed.vat_scheme) = max(fed.vat_scheme)
                    then min(fed.vat_scheme)
            end as vat_scheme,
            (array_agg(fed.reason order by fed.is_clear, fed.feeder) filter (where fed.reason is not null))[1] as reason
        from fed
        group by fed.account, fed.listing_key
    )

    select
        listings.account,
        listings.listing_key,
        case when listings.is_known then listings.unit_cost end,
        case when listings.is_known then listings.currency end,
        listings.vat_scheme,
        case
            when not listings.is_known
                then coalesce(
                    listings.reason, 'SKUs that feed it cost different amounts: seller.device_costs can tell them apart.'
                )
        end,
        case
            when listings.vat_scheme is null
                then coalesce(listings.reason, 'SKUs that feed it have different schemes of VAT in seller.costs.')
        end
    from listings
$$;

comment on function backmarket.listing_costs is
'What a unit of each listing costs, by its SKU as backmarket.sku_key() has it: what seller.costs says of the SKUs that feed
it by seller.sku_map. Null with the reason where one of them has no cost, a row of one cannot be read or two differ, or they
do.';

create or replace function backmarket.device_cost_rows(whose text, imei text, serial_number text)
returns table (least_cost numeric, most_cost numeric, first_currency text, last_currency text)
language sql stable rows 1
as $$
    select
        min(read.unit_cost) filter (where read.is_usable),
        max(case when read.is_usable then read.unit_cost else 'Infinity' end),
        min(read.currency) filter (where read.is_usable),
        max(read.currency) filter (where read.is_usable)
    from (
        select
            given.*,
            coalesce(given.unit_cost >= 0 and given.currency is not null, false) as is_usable
        from (
            select
                backmarket.plain_amount(cost.unit_cost::text) as unit_cost,
                backmarket.currency_code(cost.currency::text) as currency
            from seller.device_costs as cost
            -- As it stands there, so that an index serves.
            where cost.account::text = whose and cost.imei_or_serial::text in (imei, serial_number)
        ) as given
    ) as read
$$;

comment on function backmarket.device_cost_rows is
'Between what and what a device cost by rows of seller.device_costs whose numbers have no blanks around them; one that
cannot be read may say any amount.';

create or replace function backmarket.device_costs_with_blanks()
returns table (
    account text, number text, least_cost numeric, most_cost numeric, first_currency text, last_currency text
)
language sql stable
as $$
    select
        read.account,
        read.number,
        min(read.unit_cost) filter (where read.is_usable),
        max(case when read.is_usable then read.unit_cost else 'Infinity' end),
        min(read.currency) filter (where read.is_usable),
        max(read.currency) filter (where read.is_usable)
    from (
        select
            given.*,
            coalesce(given.unit_cost >= 0 and given.currency is not null, false) as is_usable
        from (
            select
                cost.account::text as account,
                backmarket.clean_sku(cost.imei_or_serial::text) as number,
                backmarket.plain_amount(cost.unit_cost::text) as unit_cost,
                backmarket.currency_code(cost.currency::text) as currency
            from seller.device_costs as cost
            where cost.imei_or_serial::text <> backmarket.clean_sku(cost.imei_or_serial::text)
        ) as given
    ) as read
    where read.number <> ''
    group by read.account, read.number
$$;

comment on function backmarket.device_costs_with_blanks is
'Between what and what devices cost by rows of seller.device_costs with blanks around their numbers, which are no part of
them; one that cannot be read may say any amount.';
