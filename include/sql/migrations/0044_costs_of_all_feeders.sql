-- Where the cost of one of the SKUs that feed a listing is not known, that of the listing is not, and says why.

create function backmarket.listing_costs()
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
            cost.account::text as account,
            backmarket.sku_key(cost.sku::text) as sku_key,
            backmarket.plain_amount(cost.unit_cost::text) as unit_cost,
            backmarket.currency_code(cost.currency::text) as currency,
            lower(btrim(cost.vat_scheme::text, e' \t\r\n')) as vat_scheme
        from seller.costs as cost
    ),

    -- Without a cost where rows of one SKU differ.
    own as (
        select
            read.account,
            read.sku_key,
            case
                when
                    (min(read.unit_cost), min(read.currency), min(read.vat_scheme))
                    = (max(read.unit_cost), max(read.currency), max(read.vat_scheme))
                    then min(read.unit_cost)
            end as unit_cost,
            min(read.currency) as currency,
            case when min(read.vat_scheme) = max(read.vat_scheme) then min(read.vat_scheme) end as vat_scheme
        from read
        where read.unit_cost >= 0 and read.currency is not null and read.vat_scheme in ('margin', 'standard')
        group by read.account, read.sku_key
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
                        mapped.units is not null and coalesce(mapped.sku_key, '') <> '' and coalesce(mapped.listing_key, '') <> ''
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

    fed as (
        -- A SKU without a row feeds the listing of its own name.
        select
            own.account,
            own.sku_key as listing_key,
            null as feeder,
            own.unit_cost,
            own.currency,
            own.vat_scheme,
            true as is_said,
            true as is_clear
        from own
        where not exists (select 1 from feeding where feeding.account = own.account and feeding.sku_key = own.sku_key)
        union all
        select
            feeding.account,
            feeding.listing_key,
            case when feeding.sku_key <> feeding.listing_key then feeding.sku end,
            case when unusable.account is null then own.unit_cost * feeding.units end,
            case when unusable.account is null then own.currency end,
            case when unusable.account is null then own.vat_scheme end,
            own.sku_key is not null,
            unusable.account is null
        from feeding
        left join own on feeding.account = own.account and feeding.sku_key = own.sku_key
        left join unusable
            on feeding.account = unusable.account and feeding.sku_key is not distinct from unusable.sku_key
        where feeding.listing_key <> ''
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
            case
                when not bool_and(fed.is_clear) then 'A row of seller.sku_map for the SKU cannot be used.'
                when not bool_and(fed.is_said)
                    then coalesce(
                        'seller.costs has no row for ' || min(fed.feeder) filter (where not fed.is_said)
                        || ', which feeds the SKU, that can be used.',
                        'seller.costs has no row for the SKU that can be used.'
                    )
                when count(fed.unit_cost) < count(*)
                    then coalesce(
                        'Rows of seller.costs for ' || min(fed.feeder) filter (where fed.unit_cost is null)
                        || ', which feeds the SKU, differ.',
                        'Rows of seller.costs for the SKU differ.'
                    )
            end as reason
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
'What a unit of each listing costs, by its SKU as backmarket.sku_key() has it: what can be read of seller.costs, of the SKUs
that feed it by seller.sku_map. Null with the reason where one of them has no cost, rows of one differ, or they do.';

create function backmarket.device_cost_rows(whose text, imei text, serial_number text)
returns table (least_cost numeric, most_cost numeric, first_currency text, last_currency text)
language sql stable rows 1
as $$
    select min(read.unit_cost), max(read.unit_cost), min(read.currency), max(read.currency)
    from (
        select
            backmarket.plain_amount(cost.unit_cost::text) as unit_cost,
            backmarket.currency_code(cost.currency::text) as currency
        from seller.device_costs as cost
        -- As it stands there, so that an index serves.
        where cost.account::text = whose and cost.imei_or_serial::text in (imei, serial_number)
    ) as read
    where read.unit_cost >= 0 and read.currency is not null
$$;

comment on function backmarket.device_cost_rows is
'Between what and what a device cost by rows of seller.device_costs whose numbers have no blanks around them.';

create function backmarket.device_costs_with_blanks()
returns table (
    account text, number text, least_cost numeric, most_cost numeric, first_currency text, last_currency text
)
language sql stable
as $$
    select
        read.account, read.number, min(read.unit_cost), max(read.unit_cost), min(read.currency), max(read.currency)
    from (
        select
            cost.account::text as account,
            backmarket.clean_sku(cost.imei_or_serial::text) as number,
            backmarket.plain_amount(cost.unit_cost::text) as unit_cost,
            backmarket.currency_code(cost.currency::text) as currency
        from seller.device_costs as cost
        where cost.imei_or_serial::text <> backmarket.clean_sku(cost.imei_or_serial::text)
    ) as read
    where read.number <> '' and read.unit_cost >= 0 and read.currency is not null
    group by read.account, read.number
$$;

comment on function backmarket.device_costs_with_blanks is
'Between what and what devices cost by rows of seller.device_costs with blanks around their numbers, which are no part of them.';

-- Such rows are few, and found by an index; not of a view, and not of a table of somebody else's, which stays as it is.
do $do$
begin
    if exists (
        select 1
        from pg_catalog.pg_class as relation
        where
            relation.oid = to_regclass('seller.device_costs')
            and relation.relkind in ('r', 'p') and pg_has_role(relation.relowner, 'usage')
    ) then
        create index device_costs_with_blanks on seller.device_costs (account)
        where imei_or_serial::text <> backmarket.clean_sku(imei_or_serial::text);
    end if;
end $do$;

create or replace view backmarket.profit as
with lines as (
    select
        value.*,
        value.state in (1, 2, 3, 5, 6) and value.order_gone_at is null as was_sold,
        backmarket.currency_decimals(value.currency) as decimals,
        backmarket.market_of(value.country_code) as market
    from backmarket.order_line_values as value
),

-- Expected before a statement has the sale, actual from then on; all amounts positive.
amounts as (
    select
        lines.account, lines.order_id, lines.orderline_id, lines.sku, lines.market, lines.currency, lines.sold_on,
        lines.state, lines.quantity, lines.product, lines.imei, lines.serial_number, lines.decimals, lines.sale,
        lines.country_code,
        settled.is_settled,
        expected.commission as commission_expected,
        expected.refunds as refunds_expected,
        case when settled.is_settled then settled.revenue else lines.sale end as revenue,
        case when settled.is_settled then settled.commission else expected.commission end as commission,
        case when settled.is_settled then settled.fees else coalesce(round(lines.sale * fee.share, lines.decimals), 0) end
            as fees,
        case when settled.is_settled then settled.logistics else 0 end as logistics,
        case when settled.is_settled then settled.refunds else expected.refunds end as refunds,
        settled.is_settled or (fee.share is not null and lines.orderline_fee is not null) as fees_known,
        -- A device that came back costs nothing once its refund is counted.
        case
            when settled.is_settled and settled.refunds = 0 then false
            when lines.state in (4, 5) then true
            when lines.state = 6 then exists (
                select 1
                from backmarket.returns as parcel
                where
                    parcel.account = lines.account and parcel.order_id = lines.order_id
                    and coalesce(parcel.orderline_id, lines.orderline_id) = lines.orderline_id
                    and parcel.date_delivery is not null
            )
            else false
        end as is_back
    from lines
    -- What a row that is about several lines is shared out by.
    left join lateral (
        select
            array_agg(other.orderline_id order by other.orderline_id) as orderline_ids,
            array_agg(backmarket.sku_key(other.sku) order by other.orderline_id) as sku_keys,
            array_agg(
                other.state in (1, 2, 3, 5, 6) and other.order_gone_at is null order by other.orderline_id
            ) as are_sold,
            array_agg(coalesce(other.sale, 0) order by other.orderline_id) as weights
        from backmarket.order_line_values as other
        where other.account = lines.account and other.order_id = lines.order_id and lines.line_count > 1
    ) as siblings on true
    cross join lateral (
        select
            coalesce(bool_or(row.role = 'sale' and row.part is not null), false) as is_settled,
            coalesce(sum(row.part) filter (where row.category = 'revenue'), 0) as revenue,
            -coalesce(sum(row.part) filter (where row.category = 'commission'), 0) as commission,
            -coalesce(sum(row.part) filter (where row.category in ('payment_fee', 'service', 'adjustment')), 0) as fees,
            -coalesce(sum(row.part) filter (where row.category = 'logistics'), 0) as logistics,
            -coalesce(sum(row.part) filter (where row.category = 'refund'), 0) as refunds
        from (
            select
                line.category,
                line.role,
                case
                    when lines.line_count = 1 then line.amount
                    else backmarket.line_part(
                        line.amount, lines.decimals, lines.orderline_id, siblings.orderline_ids, siblings.sku_keys,
                        siblings.are_sold, siblings.weights, case when line.tied_by = 'orderline' then line.number end,
                        line.sku
                    )
                end as part
            from backmarket.settlement_lines as line
            where
                line.account = lines.account
                and line.order_id = lines.order_id
                and line.currency = lines.currency
                and line.tied_by is not null
                and not line.vanished
                and line.category not in ('cash_flow', 'unknown')
        ) as row
    ) as settled
    cross join lateral (
        select
            -- The commission of what is refunded is given back.
            case when lines.state in (4, 5, 6) then 0 else coalesce(lines.orderline_fee, 0) end as commission,
            case
                when lines.state in (4, 5, 6) then coalesce(lines.sale, 0)
                else coalesce((
                    select sum(refund.amount)
                    from backmarket.refunds_sent as refund
                    where
                        refund.account = lines.account
                        and refund.order_id = lines.order_id
                        and refund.orderline_id = lines.orderline_id
                        and refund.currency = lines.currency
                        and refund.status = 'confirmed'
                ), 0)
            end as refunds
    ) as expected
    left join backmarket.fee_shares as fee
        on lines.account = fee.account and lines.market = fee.market and fee.computed_at > now() - interval '90 days'
    where lines.was_sold or settled.is_settled
),

rates as materialized (
    select * from backmarket.rates_by_day()
),

with_blanks as materialized (
    select * from backmarket.device_costs_with_blanks()
),

priced as (
    select
        amounts.*,
        given.vat_scheme,
        given.cost_reason,
        given.vat_reason,
        coalesce(own_vat.vat_pct, vat.vat_pct) as vat_pct,
        device.differs,
        paid.currency as cost_currency,
        paid.amount as paid,
        case
            when paid.currency = amounts.currency then 1
            else coalesce(direct.rate, to_euro.rate * of_euro.rate)::numeric(60, 20)
        end as rate
    from amounts
    left join backmarket.listing_costs() as given
        on amounts.account = given.account and backmarket.sku_key(amounts.sku) = given.sku_key
    -- A device of one line of one unit, by all of its numbers: where two rows differ, nobody knows which one holds.
    left join lateral backmarket.device_cost_rows(amounts.account, amounts.imei, amounts.serial_number) as plain
        on amounts.quantity = 1 and coalesce(amounts.imei, amounts.serial_number) is not null
    left join with_blanks as by_imei
        on amounts.quantity = 1 and amounts.account = by_imei.account and amounts.imei = by_imei.number
    left join with_blanks as by_serial
        on amounts.quantity = 1 and amounts.account = by_serial.account and amounts.serial_number = by_serial.number
    cross join lateral (
        select
            least(plain.least_cost, by_imei.least_cost, by_serial.least_cost) as unit_cost,
            least(plain.first_currency, by_imei.first_currency, by_serial.first_currency) as currency,
            least(plain.least_cost, by_imei.least_cost, by_serial.least_cost)
            <> greatest(plain.most_cost, by_imei.most_cost, by_serial.most_cost)
            or least(plain.first_currency, by_imei.first_currency, by_serial.first_currency)
            <> greatest(plain.last_currency, by_imei.last_currency, by_serial.last_currency) as differs
    ) as device
    cross join lateral (
        select
            case
                when device.differs is null then given.unit_cost * amounts.quantity
                when not device.differs then device.unit_cost
            end as amount,
            case
                when device.differs is null then given.currency
                when not device.differs then device.currency
            end as currency
    ) as paid
    left join backmarket.vat_rates_given() as own_vat
        on
            amounts.account = own_vat.account
            and amounts.market = own_vat.market
            and amounts.sold_on between own_vat.valid_from and own_vat.valid_until
    left join backmarket.vat_periods as vat
        on amounts.market = vat.market and amounts.sold_on between vat.valid_from and vat.valid_until
    left join rates as direct
        on
            paid.currency = direct.one
            and amounts.currency = direct.other
            and amounts.sold_on = direct.day
    left join rates as to_euro
        on
            direct.rate is null
            and paid.currency = to_euro.one
            and to_euro.other = 'EUR'
            and amounts.sold_on = to_euro.day
    left join rates as of_euro
        on to_euro.rate is not null and of_euro.one = 'EUR' and amounts.currency = of_euro.other and amounts.sold_on = of_euro.day
),

costs as (
    select
        priced.*,
        case when priced.is_back then 0 else round(priced.paid * priced.rate, priced.decimals) end as cost
    from priced
),

taxed as (
    select
        costs.*,
        round(
            case
                when costs.revenue = costs.refunds then 0
                -- Of nothing that is not known is there a greatest: it would be 0.
                when costs.vat_scheme = 'margin' and costs.cost is null then null
                when costs.vat_scheme = 'margin' then greatest(0, costs.revenue - costs.refunds - costs.cost)
                when costs.vat_scheme = 'standard' then costs.revenue - costs.refunds
            end * costs.vat_pct / (100 + costs.vat_pct),
            costs.decimals
        ) as vat
    from costs
)

select
    account,
    order_id,
    orderline_id,
    sku,
    market,
    currency,
    revenue,
    commission,
    fees,
    refunds,
    vat,
    cost,
    revenue - commission - fees - logistics - refunds - vat - cost as margin,
    is_settled,
    logistics,
    sold_on,
    state,
    quantity as units,
    product,
    imei,
    serial_number,
    vat_scheme,
    vat_pct,
    fees_known,
    sale as revenue_expected,
    commission_expected,
    refunds_expected,
    case when is_settled then greatest(0, refunds_expected - refunds) else 0 end as refunds_due,
    case
        when vat is not null and cost is not null and revenue is not null then null
        when revenue is null then 'The order says no price of the line.'
        when market is null then format('Country %s is no market of Back Market''s.', coalesce(country_code, '(none)'))
        when vat_pct is null then format('No rate of VAT is known for %s on the day of sale.', market)
        when sku is null then 'The line has no SKU.'
        when differs then 'Rows of seller.device_costs for the device differ.'
        when cost_currency is null then coalesce(cost_reason, 'seller.costs has no row for the SKU that can be used.')
        when rate is null
            then format(
                'seller.fx_rates has no rate from %s to %s of the day of sale or the ten days before.', cost_currency, currency
            )
        else coalesce(vat_reason, 'seller.costs, which says how VAT is due, has no row for the SKU that can be used.')
    end as cost_reason
from taxed;

drop function backmarket.costs_given();
drop function backmarket.device_cost(text, text, text);
