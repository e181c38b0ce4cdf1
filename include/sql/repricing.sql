-- name: copy_decisions
-- One row per listing and market.
copy decided_prices (id, market, sku, currency, target, floor, ceiling, margin, margin_pct, verdict, reason) from stdin;

-- name: merge_decisions
-- The newest decision about each price; one that holds keeps where an earlier one wanted the price.
-- :account, :decided_at
merge into backmarket.repricing as known
using decided_prices as decided
    on known.account = %(account)s and known.id = decided.id and known.market = decided.market
when matched then update set
    sku = decided.sku,
    currency = decided.currency,
    target = coalesce(decided.target, known.target),
    floor = decided.floor,
    ceiling = decided.ceiling,
    margin = decided.margin,
    margin_pct = decided.margin_pct,
    verdict = decided.verdict,
    reason = decided.reason,
    decided_at = %(decided_at)s
when not matched then insert (
    account, id, market, sku, currency, target, floor, ceiling, margin, margin_pct, verdict, reason, decided_at
) values (
    %(account)s, decided.id, decided.market, decided.sku, decided.currency, decided.target, decided.floor,
    decided.ceiling, decided.margin, decided.margin_pct, decided.verdict, decided.reason, %(decided_at)s
);

-- name: select_askings
-- When it was last answered, in full, which BackBoxes each listing takes part in.
-- :account
select id, asked_at
from backmarket.backbox_askings
where account = %(account)s and has_backbox is not null and reason is null;

-- name: select_commissions
-- What Back Market took of the newest orders of each SKU, in per cent of price and shipping.
-- :account, :sku_keys (as backmarket.sku_key gives them)
select wanted.sku_key, round(sum(newest.fee) * 100 / sum(newest.paid), 2)
from unnest(%(sku_keys)s::text []) as wanted (sku_key)
cross join lateral (
    select line.orderline_fee as fee, line.price + coalesce(line.shipping_price, 0) as paid
    from backmarket.order_lines as line
    where
        line.account = %(account)s and backmarket.sku_key(line.sku) = wanted.sku_key
        and line.orderline_fee > 0 and line.price > 0 and line.quantity = 1
    order by line.orderline_id desc
    limit 5
) as newest
group by wanted.sku_key;

-- name: select_counted
-- Which of these SKUs seller.stock counts; a null where it cannot be read.
-- :account, :sku_keys (as backmarket.sku_key gives them)
select counted.sku_key
from backmarket.counted_skus(%(account)s) as counted (sku_key)
where counted.sku_key is null or counted.sku_key = any(%(sku_keys)s::text []);

-- name: select_fee_shares
-- For payment and care, in per cent of the sale, by market, as statements of the last 90 days show it.
-- :account
select market, round(share * 100, 2)
from backmarket.fee_shares
where account = %(account)s and computed_at > now() - interval '90 days';

-- name: select_moves
-- When each price was moved from here lately, and whether it was lowered. Where none was shown, an earlier version wrote
-- None.
-- :account, :since
select
    subject,
    market,
    sent_at,
    (payload ->> 'price')::numeric < nullif(payload ->> 'old_price', 'None')::numeric as is_lower
from backmarket.changes
where
    account = %(account)s and kind = 'price' and payload ? 'why'
    and sent_at > %(since)s and status in ('sent', 'unknown', 'confirmed');

-- name: select_rates
-- What a unit of each of these currencies is worth in the other on a day; null where nobody says so.
-- :from_currencies, :to_currencies (as long as each other), :day
select pair.from_currency, pair.to_currency, backmarket.exchange_rate(pair.from_currency, pair.to_currency, %(day)s)
from unnest(%(from_currencies)s::text [], %(to_currencies)s::text []) as pair (from_currency, to_currency);

-- name: select_standings
-- Where listings stand in the BackBoxes that they take part in.
-- :account
select id, market, read_at, is_winning, price_to_win, winner_price
from backmarket.backbox
where account = %(account)s and gone_at is null;

-- name: select_vat
-- The rate of each of these markets on a day; null where nobody says so.
-- :account, :markets, :day
select market, backmarket.vat_pct(%(account)s, market, %(day)s)
from unnest(%(markets)s::text []) as market;

-- name: select_wishes
-- What repricing wants of the prices that it has ever moved, or wants to; what it wanted longer ago moves nothing.
-- :account, :since
select id, market, verdict, case when verdict <> 'hold' and decided_at >= %(since)s then target end, reason
from backmarket.repricing
where account = %(account)s and target is not null;

-- name: stage_decisions
-- What was decided now.
create temporary table if not exists decided_prices (
    id uuid not null,
    market text not null,
    sku text not null,
    currency text not null,
    target numeric,
    floor numeric,
    ceiling numeric,
    margin numeric,
    margin_pct numeric,
    verdict text not null,
    reason text not null
);
