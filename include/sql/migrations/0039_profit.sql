-- What each sale leaves: revenue, what Back Market takes, what was paid back, VAT and cost, line by line.
--
-- The seller's tables are read in functions, which do not depend on them: each may be replaced by a view of texts. A row
-- that cannot be read is left out, as warehouse/seller_rows.py does.
set local check_function_bodies = off;

create function backmarket.plain_amount(given text) returns numeric
language sql immutable parallel safe
return case
    when btrim(given, e' \t\r\n') ~ '^-?[0-9]{1,12}(\.[0-9]{1,20})?$' then btrim(given, e' \t\r\n')::numeric
end;

comment on function backmarket.plain_amount is
'The number that a text is, as seller_rows.amount() reads it; null where it is none.';

create function backmarket.currency_code(given text) returns text
language sql immutable parallel safe
return case when upper(btrim(given, e' \t\r\n')) ~ '^[A-Z]{3}$' then upper(btrim(given, e' \t\r\n')) end;

create function backmarket.plain_day(given text) returns date
language sql immutable parallel safe
return case
    when
        btrim(given, e' \t\r\n')
        !~ '^[1-9]\d{3}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])([T ]00:00(:00(\.0+)?)?(Z|[+-]00(:?00)?)?)?$'
        then null
    -- A cast would fail on the 30th of February.
    when
        substr(btrim(given, e' \t\r\n'), 9, 2)::integer
        <= extract(
            day from make_date(
                left(btrim(given, e' \t\r\n'), 4)::integer, substr(btrim(given, e' \t\r\n'), 6, 2)::integer, 1
            ) + interval '1 month - 1 day'
        )
        then make_date(
            left(btrim(given, e' \t\r\n'), 4)::integer,
            substr(btrim(given, e' \t\r\n'), 6, 2)::integer,
            substr(btrim(given, e' \t\r\n'), 9, 2)::integer
        )
end;

comment on function backmarket.plain_day is
'The day that a text is in ISO 8601, as seller_rows.day() reads it; null where it is none.';

create function backmarket.currency_decimals(currency text) returns integer
language sql immutable parallel safe
return case currency when 'JPY' then 0 else 2 end;

comment on function backmarket.currency_decimals is 'How many digits an amount of a currency has after the point.';

create function backmarket.market_of(country_code text) returns text
language sql immutable parallel safe
return case lower(right(btrim(country_code), 2))
    when 'fr' then 'fr-fr'
    when 'be' then 'fr-be'
    when 'es' then 'es-es'
    when 'de' then 'de-de'
    when 'at' then 'de-at'
    when 'it' then 'it-it'
    when 'gb' then 'en-gb'
    when 'nl' then 'nl-nl'
    when 'pt' then 'pt-pt'
    when 'ie' then 'en-ie'
    when 'gr' then 'el-gr'
    when 'sk' then 'sk-sk'
    when 'se' then 'sv-se'
    when 'us' then 'en-us'
    when 'jp' then 'ja-jp'
    when 'au' then 'en-au'
end;

comment on function backmarket.market_of is
'The market of an order''s country_code, which is a market''s code or a country''s: each country is one. Null: none.';

create function backmarket.vat_rates_given()
returns table (account text, market text, valid_from date, valid_until date, vat_pct numeric)
language sql stable
as $$
    select
        sure.account,
        sure.market,
        sure.valid_from,
        coalesce(lead(sure.valid_from) over (partition by sure.account, sure.market order by sure.valid_from) - 1, 'infinity'),
        sure.vat_pct
    from (
        select given.account, given.market, given.valid_from, min(given.vat_pct) as vat_pct
        from (
            select
                rate.account::text as account,
                lower(btrim(rate.market::text, e' \t\r\n')) as market,
                backmarket.plain_amount(rate.vat_pct::text) as vat_pct,
                case
                    when nullif(btrim(rate.valid_from::text, e' \t\r\n'), '') is null then date '0001-01-01'
                    else backmarket.plain_day(rate.valid_from::text)
                end as valid_from
            from seller.vat_rates as rate
        ) as given
        where given.valid_from is not null and given.vat_pct between 0 and 100
        group by given.account, given.market, given.valid_from
        -- Of rows that differ about one day none is taken.
        having min(given.vat_pct) = max(given.vat_pct)
    ) as sure
$$;

comment on function backmarket.vat_rates_given is
'What can be read of seller.vat_rates, each with the last day on which it holds.';

create view backmarket.vat_periods as
select
    market,
    valid_from,
    coalesce(lead(valid_from) over (partition by market order by valid_from) - 1, 'infinity') as valid_until,
    vat_pct
from backmarket.vat_rates;

create function backmarket.vat_pct(whose text, sold_in text, on_day date) returns numeric
language sql stable
as $$
    select coalesce(
        (
            select own.vat_pct
            from backmarket.vat_rates_given() as own
            where own.account = whose and own.market = sold_in and on_day between own.valid_from and own.valid_until
        ),
        (
            select common.vat_pct
            from backmarket.vat_periods as common
            where common.market = sold_in and on_day between common.valid_from and common.valid_until
        )
    )
$$;

comment on function backmarket.vat_pct is
'VAT of an account in a market on a day, in per cent of the price without it: by seller.vat_rates, else by
backmarket.vat_rates. Null where neither says it.';

-- The text of the query has the days: whatever type seller.fx_rates.day has, they are read as that, and an index serves.
create function backmarket.rates_between(first_day date, last_day date)
returns table (day date, one text, other text, rate numeric)
language plpgsql stable
as $$
begin
    return query execute format(
        $query$
            with given as (
                select
                    backmarket.plain_day(fx.day::text) as day,
                    backmarket.currency_code(fx.from_currency::text) as one,
                    backmarket.currency_code(fx.to_currency::text) as other,
                    backmarket.plain_amount(fx.rate::text) as rate
                from seller.fx_rates as fx
                where fx.day >= %L and fx.day < %L
            ),

            -- Of rows that differ about one day none is taken.
            sure as (
                select given.day, given.one, given.other, min(given.rate) as rate
                from given
                where given.day is not null and given.rate > 0 and given.one <> given.other
                group by given.day, given.one, given.other
                having min(given.rate) = max(given.rate)
            )

            -- What is said comes before what follows from the other way round.
            select distinct on (both_ways.day, both_ways.one, both_ways.other)
                both_ways.day, both_ways.one, both_ways.other, both_ways.rate
            from (
                select sure.day, sure.one, sure.other, sure.rate, 0 as turned from sure
                union all
                select sure.day, sure.other, sure.one, round(1 / sure.rate::numeric(60, 30), 30), 1 from sure
            ) as both_ways
            order by both_ways.day, both_ways.one, both_ways.other, both_ways.turned
        $query$,
        to_char(first_day, 'YYYY-MM-DD'),
        to_char(last_day + 1, 'YYYY-MM-DD')
    );
end
$$;

comment on function backmarket.rates_between is
'What can be read of seller.fx_rates, both days included, each rate in both directions: how many of other is one worth.';

create function backmarket.exchange_rate(from_currency text, to_currency text, on_day date) returns numeric
language sql stable
as $$
    with newest as materialized (
        select distinct on (known.one, known.other) known.one, known.other, known.rate
        from backmarket.rates_between(on_day - 10, on_day) as known
        where from_currency <> to_currency
        order by known.one, known.other, known.day desc
    )

    select case
        when from_currency = to_currency then 1
        else coalesce(
            (select newest.rate from newest where newest.one = from_currency and newest.other = to_currency),
            (select newest.rate from newest where newest.one = from_currency and newest.other = 'EUR')
            * (select newest.rate from newest where newest.one = 'EUR' and newest.other = to_currency)
        )::numeric(60, 20)
    end
$$;

comment on function backmarket.exchange_rate is
'How many of to_currency one of from_currency is worth: the newest rate of seller.fx_rates of the day or the ten before,
direct or inverse, else through EUR. Null where there is none.';

-- For many sales at once: a rate for each day since the first sale.
create function backmarket.rates_by_day()
returns table (day date, one text, other text, rate numeric)
language sql stable
as $$
    -- The first day of sale of each account, by the index, however many orders there are.
    with recursive whose as (
        (select orders.account from backmarket.orders order by orders.account limit 1)
        union all
        select (
            select orders.account
            from backmarket.orders
            where orders.account > whose.account
            order by orders.account
            limit 1
        )
        from whose
        where whose.account is not null
    ),

    began as (
        select min(first.sold_on) as day
        from whose
        cross join lateral (
            select ((coalesce(date_payment, date_creation, first_seen_at)) at time zone 'UTC')::date as sold_on
            from backmarket.orders
            where orders.account = whose.account
            order by 1
            limit 1
        ) as first
    )

    select valid.day::date, known.one, known.other, known.rate
    from (
        select
            said.day, said.one, said.other, said.rate,
            lead(said.day) over (partition by said.one, said.other order by said.day) as next_day
        from began
        cross join lateral backmarket.rates_between(began.day - 10, current_date + 1) as said
        where began.day is not null
    ) as known
    cross join lateral generate_series(
        known.day, least(known.day + 10, known.next_day - 1), interval '1 day'
    ) as valid (day)
$$;

create function backmarket.costs_given()
returns table (account text, sku_key text, unit_cost numeric, currency text, vat_scheme text)
language sql stable
as $$
    select read.account, read.sku_key, min(read.unit_cost), min(read.currency), min(read.vat_scheme)
    from (
        select
            cost.account::text as account,
            backmarket.sku_key(cost.sku::text) as sku_key,
            backmarket.plain_amount(cost.unit_cost::text) as unit_cost,
            backmarket.currency_code(cost.currency::text) as currency,
            lower(btrim(cost.vat_scheme::text, e' \t\r\n')) as vat_scheme
        from seller.costs as cost
    ) as read
    where read.unit_cost >= 0 and read.currency is not null and read.vat_scheme in ('margin', 'standard')
    group by read.account, read.sku_key
    having
        (min(read.unit_cost), min(read.currency), min(read.vat_scheme))
        = (max(read.unit_cost), max(read.currency), max(read.vat_scheme))
$$;

comment on function backmarket.costs_given is
'What can be read of seller.costs, by SKU as backmarket.sku_key() has it; of rows of one SKU that differ, none.';

create function backmarket.device_cost(whose text, imei text, serial_number text)
returns table (unit_cost numeric, currency text)
language sql stable rows 1
as $$
    select min(read.unit_cost), min(read.currency)
    from (
        select
            backmarket.plain_amount(cost.unit_cost::text) as unit_cost,
            backmarket.currency_code(cost.currency::text) as currency
        from seller.device_costs as cost
        -- As it stands there, so that an index serves.
        where cost.account::text = whose and cost.imei_or_serial::text in (imei, serial_number)
    ) as read
    where read.unit_cost >= 0 and read.currency is not null
    having (min(read.unit_cost), min(read.currency)) = (max(read.unit_cost), max(read.currency))
$$;

comment on function backmarket.device_cost is
'What a device cost by seller.device_costs; no row where it is not known, or two rows differ.';

-- Which rows of settlement_lines are whose, and how a row that is about several lines is shared out.
create function backmarket.line_part(
    amount numeric,
    decimals integer,
    own_line bigint,
    orderline_ids bigint [],
    sku_keys text [],
    are_sold boolean [],
    weights numeric [],
    of_line bigint,
    of_sku text
) returns numeric
language plpgsql immutable parallel safe
as $$
declare
    meant integer [];
    total numeric := 0;
    rest numeric := amount;
    part numeric;
begin
    -- Its own line; else the lines of its SKU that were sold; else all that were sold; else all.
    select array_agg(place order by place)
    into meant
    from (
        select place, rank, min(rank) over () as best
        from (
            select
                place,
                case
                    when id = of_line then 1
                    when is_sold and sku_key = backmarket.sku_key(of_sku) then 2
                    when is_sold then 3
                    else 4
                end as rank
            from unnest(orderline_ids, sku_keys, are_sold) with ordinality as line (id, sku_key, is_sold, place)
        ) as ranked
    ) as compared
    where rank = best;

    for number in 1 .. cardinality(meant) loop
        total := total + weights[meant[number]];
    end loop;
    for number in 1 .. cardinality(meant) loop
        -- What rounding leaves is the last line's.
        if number = cardinality(meant) then
            part := rest;
        elsif total = 0 then
            part := round(amount / cardinality(meant), decimals);
        else
            part := round(amount * weights[meant[number]] / total, decimals);
        end if;
        if orderline_ids[meant[number]] = own_line then
            return part;
        end if;
        rest := rest - part;
    end loop;
    return null;
end
$$;

comment on function backmarket.line_part is
'What of a statement row of an order is one of its lines'', in proportion to their prices; null where it is not about it.';

create index orders_by_sale on backmarket.orders (
    account, (((coalesce(date_payment, date_creation, first_seen_at)) at time zone 'UTC')::date)
);

-- What a line's money means once its quantity is settled. Back Market says that prices are per unit; one report had
-- them per line, so the order's own totals decide where they fit only the other reading.
--
-- All sums are over what a filter by account, order or day of sale leaves whole: it is applied before them.
create view backmarket.order_line_values as
with lines as (
    select
        orders.account,
        orders.order_id,
        ((coalesce(orders.date_payment, orders.date_creation, orders.first_seen_at)) at time zone 'UTC')::date as sold_on,
        orders.country_code,
        orders.price as order_price,
        orders.shipping_price as order_shipping_price,
        orders.date_shipping,
        coalesce(orders.date_modification, orders.read_at) as changed_at,
        orders.gone_at as order_gone_at,
        line.orderline_id,
        line.state,
        line.sku,
        line.product,
        line.imei,
        line.serial_number,
        line.quantity,
        line.price,
        coalesce(line.currency, orders.currency) as currency,
        line.shipping_price,
        line.orderline_fee,
        sum(line.price * line.quantity) over of_order as price_by_unit,
        sum(line.price) over of_order as price_by_line,
        sum(line.shipping_price * line.quantity) over of_order as shipping_by_unit,
        sum(line.shipping_price) over of_order as shipping_by_line,
        max(line.quantity) over of_order as most,
        count(*) over of_order as line_count
    from backmarket.orders
    inner join backmarket.order_lines as line
        on orders.account = line.account and orders.order_id = line.order_id and line.gone_at is null
    window of_order as (
        partition by
            orders.account, orders.order_id,
            ((coalesce(orders.date_payment, orders.date_creation, orders.first_seen_at)) at time zone 'UTC')::date
    )
)

select
    lines.*,
    lines.price * case
        when
            lines.most > 1
            and lines.order_price is distinct from lines.price_by_unit
            and lines.order_price is distinct from lines.price_by_unit + coalesce(lines.order_shipping_price, 0)
            and lines.order_price in (lines.price_by_line, lines.price_by_line + lines.order_shipping_price)
            then 1
        else lines.quantity
    end
    + coalesce(lines.shipping_price, 0) * case
        when
            lines.most > 1
            and lines.order_shipping_price is not distinct from lines.shipping_by_unit
            and lines.order_shipping_price is distinct from lines.shipping_by_line
            then lines.quantity
        else 1
    end as sale
from lines;

comment on view backmarket.order_line_values is
'What each order line is worth: price times quantity, plus shipping, unless the order''s own totals say otherwise; and
the UTC day on which it was sold.';

create or replace view backmarket.settlement_expected_lines as
select
    account,
    order_id,
    orderline_id,
    state,
    currency,
    (date_shipping at time zone 'UTC')::date as shipped_on,
    (changed_at at time zone 'UTC')::date as changed_on,
    sale,
    orderline_fee as fee
from backmarket.order_line_values;

create table backmarket.fee_shares (
    account text not null,
    market text not null,
    share numeric not null,
    orders bigint not null,
    computed_at timestamptz not null default now(),
    primary key (account, market)
);

comment on table backmarket.fee_shares is
'Which part of a sale fees for payment and care take in each market: the median of the orders that statements of the last
90 days settled, as of when statements were compared with orders last.';

alter table backmarket.settlement_comparisons add column fee_shares_at timestamptz;

comment on column backmarket.settlement_comparisons.fee_shares_at is 'When backmarket.fee_shares was computed last.';

create view backmarket.profit as
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

priced as (
    select
        amounts.*,
        given.vat_scheme,
        coalesce(own_vat.vat_pct, vat.vat_pct) as vat_pct,
        coalesce(device.currency, given.currency) as cost_currency,
        coalesce(device.unit_cost, given.unit_cost * amounts.quantity) as paid,
        case
            when coalesce(device.currency, given.currency) = amounts.currency then 1
            else coalesce(direct.rate, to_euro.rate * of_euro.rate)::numeric(60, 20)
        end as rate
    from amounts
    left join backmarket.costs_given() as given
        on amounts.account = given.account and backmarket.sku_key(amounts.sku) = given.sku_key
    left join lateral backmarket.device_cost(amounts.account, amounts.imei, amounts.serial_number) as device
        on amounts.quantity = 1 and coalesce(amounts.imei, amounts.serial_number) is not null
    left join backmarket.vat_rates_given() as own_vat
        on
            amounts.account = own_vat.account
            and amounts.market = own_vat.market
            and amounts.sold_on between own_vat.valid_from and own_vat.valid_until
    left join backmarket.vat_periods as vat
        on amounts.market = vat.market and amounts.sold_on between vat.valid_from and vat.valid_until
    left join rates as direct
        on
            coalesce(device.currency, given.currency) = direct.one
            and amounts.currency = direct.other
            and amounts.sold_on = direct.day
    left join rates as to_euro
        on
            direct.rate is null
            and coalesce(device.currency, given.currency) = to_euro.one
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
        when cost_currency is null then 'seller.costs has no row for the SKU that can be used.'
        when rate is null
            then format(
                'seller.fx_rates has no rate from %s to %s of the day of sale or the ten days before.', cost_currency, currency
            )
        else 'seller.costs, which says how VAT is due, has no row for the SKU that can be used.'
    end as cost_reason
from taxed;

comment on view backmarket.profit is
'What each order line that was sold leaves, in the order''s currency: expected until a statement has its sale, from then
on what statements say. Costs are positive: margin = revenue - commission - fees - logistics - refunds - vat - cost.';
comment on column backmarket.profit.fees is 'For payment and care, and what statements adjust.';
comment on column backmarket.profit.fees_known is
'Whether commission and fees are those of the order and its statement, or of what is settled in its market.';
comment on column backmarket.profit.refunds_due is 'What was paid back, and no statement shows yet.';
comment on column backmarket.profit.cost_reason is 'Why cost, VAT and margin are not known; null where they are.';
comment on column backmarket.profit.sold_on is 'The UTC day of payment, else of creation.';
