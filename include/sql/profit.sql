-- name: select_costs
-- What units cost, as texts.
-- :account
select sku::text, unit_cost::text, currency::text, vat_scheme::text
from seller.costs
where account::text = %(account)s
order by 1;

-- name: select_device_costs
-- What single devices cost, as texts.
-- :account
select imei_or_serial::text, unit_cost::text, currency::text
from seller.device_costs
where account::text = %(account)s
order by 1;

-- name: select_differences
-- Orders whose statement paid another amount than was expected, the dearest difference first, with what the
-- reconciliation says of each; amounts are revenue less commission and refunds.
-- :account, :first_day, :last_day, :most
with settled as (
    select
        order_id,
        currency,
        sum(revenue_expected) - sum(commission_expected) - sum(refunds_expected) as expected,
        sum(revenue) - sum(commission) - sum(refunds) as actual
    from backmarket.profit
    where account = %(account)s and sold_on between %(first_day)s and %(last_day)s and is_settled
    group by order_id, currency
)

select
    settled.order_id,
    settled.currency,
    settled.expected,
    settled.actual,
    settled.actual - settled.expected as difference,
    coalesce(found.kinds, '') as kinds,
    count(*) over () as total
from settled
left join lateral (
    select string_agg(distinct replace(finding.kind, '_', ' '), ', ') as kinds
    from backmarket.settlement_open_findings as finding
    where finding.account = %(account)s and finding.order_id = settled.order_id
) as found on true
where settled.actual <> settled.expected
order by abs(settled.actual - settled.expected) desc, settled.order_id
limit %(most)s;

-- name: select_fx_rates
-- What currencies are worth, as texts; the rates are for all accounts.
select day::text, from_currency::text, to_currency::text, rate::text
from seller.fx_rates
order by 1, 2, 3;

-- name: select_vat_rates
-- Rates of VAT of the seller's own, as texts.
-- :account
select market::text, vat_pct::text, valid_from::text
from seller.vat_rates
where account::text = %(account)s
order by 1, 3;

-- name: sum_sales
-- What sales of these days left: by day, market, SKU, and whether they are settled and their costs known.
-- :account, :first_day, :last_day, :own_currency (null: nothing is converted)
with cells as (
    select
        sold_on,
        market,
        currency,
        sku,
        cost_reason,
        is_settled,
        count(*) as lines,
        sum(units) as units,
        sum(revenue) as revenue,
        sum(commission) as commission,
        sum(fees) as fees,
        sum(logistics) as logistics,
        sum(refunds) as refunds,
        sum(vat) as vat,
        sum(cost) as cost,
        sum(margin) as margin,
        sum(refunds_due) as refunds_due,
        coalesce(sum(revenue) filter (where not fees_known), 0) as without_fees
    from backmarket.profit
    where account = %(account)s and sold_on between %(first_day)s and %(last_day)s
    group by sold_on, market, currency, sku, cost_reason, is_settled
),

rates as materialized (
    select wanted.sold_on, wanted.currency, backmarket.exchange_rate(wanted.currency, %(own_currency)s, wanted.sold_on) as rate
    from (select distinct sold_on, currency from cells) as wanted
)

select
    cells.*,
    -- Rounded here: whichever way these are added up, the sum is the same.
    round(cells.revenue * rates.rate, backmarket.currency_decimals(%(own_currency)s)) as own_revenue,
    round(cells.margin * rates.rate, backmarket.currency_decimals(%(own_currency)s)) as own_margin
from cells
left join rates on cells.sold_on = rates.sold_on and cells.currency is not distinct from rates.currency;
