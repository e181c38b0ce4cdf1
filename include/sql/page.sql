-- name: approvals
-- Moves of prices that wait for a person, beside the seller's floor and count, as texts.
-- :account; rows is the statement within
with waiting as ({rows})

select
    waiting.*,
    floors.floor,
    counted.stock
from waiting
left join (
    select
        backmarket.sku_key(coalesce(map.listing_sku::text, price.sku::text)) as sku_key,
        backmarket.market_key(price.market::text) as market,
        min(price.min_price::text) as floor
    from seller.prices as price
    left join seller.sku_map as map
        on price.account::text = map.account::text
        and backmarket.sku_key(price.sku::text) = backmarket.sku_key(map.sku::text)
    where price.account::text = %(account)s
    group by 1, 2
) as floors on backmarket.sku_key(waiting.subject) = floors.sku_key and waiting.market = floors.market
left join (
    select
        backmarket.sku_key(coalesce(map.listing_sku::text, stock.sku)) as sku_key,
        string_agg(stock.quantity, ', ') as stock
    from backmarket.stock_rows(%(account)s) as stock
    left join seller.sku_map as map
        on map.account::text = %(account)s and backmarket.sku_key(stock.sku) = backmarket.sku_key(map.sku::text)
    group by 1
) as counted on backmarket.sku_key(waiting.subject) = counted.sku_key

-- name: approvals_of_refunds
-- Refunds that wait for a person, beside what they are for.
-- :account; rows is the statement within
with waiting as ({rows})

select
    waiting.*,
    line.sku,
    line.price
from waiting
left join backmarket.order_lines as line on line.account = %(account)s and waiting.orderline_id::bigint = line.orderline_id

-- name: backbox_most_lost
-- Of each standing the rows by which most is lost, each with how many there are of it.
-- :most; rows is backbox_standings
with stood as materialized ({rows}),

counted as (
    select kind, count(*) as total
    from stood
    group by kind
)

select most_lost.*, counted.total
from counted
cross join lateral (
    select *
    from stood
    where stood.kind = counted.kind
    order by stood.lost desc nulls last, stood.market, stood.id
    limit %(most)s
) as most_lost

-- name: backbox_reading
-- When Back Market was asked last for competitors, and how many listings within the last hour.
-- :account
select
    (select max(asked_at) from backmarket.backbox_askings where account = %(account)s) as asked_at,
    count(*) as asked,
    count(*) filter (where has_backbox is null) as unreadable
from backmarket.backbox_askings
where account = %(account)s and asked_at >= now() - interval '1 hour';

-- name: backbox_standings
-- Where each listing stands in the competition for the BackBox of each market, and what repricing decided about its price.
-- :account, :standings (those to list; null: all)
--
-- A listing that nobody competes with has a decision, and no competition.
select
    stood.*,
    case stood.kind
        when 'would win within its floor' then stood.margin
        when 'cannot win within its floor' then stood.gap
        when 'without a decision' then stood.amount
    end as lost
from (
    select
        id,
        market,
        repricing.sku,
        case
            when repricing.floor is null then 'without a decision'
            when box.read_at is null then 'stands alone'
            when box.is_winning then 'wins'
            when box.price_to_win is null then 'loses, price to win unknown'
            when box.price_to_win >= repricing.floor then 'would win within its floor'
            else 'cannot win within its floor'
        end as kind,
        coalesce(repricing.reason, 'repricing is off, or seller.prices has no price for it') as why,
        box.price as amount,
        coalesce(box.currency, repricing.currency) as currency,
        box.price_to_win,
        box.winner_price,
        repricing.floor,
        repricing.floor - box.price_to_win as gap,
        repricing.ceiling,
        repricing.target,
        repricing.margin,
        repricing.margin_pct,
        repricing.verdict,
        coalesce(box.read_at, repricing.decided_at) as since
    from (
        select id, market, currency, price, price_to_win, winner_price, is_winning, read_at
        from backmarket.backbox
        where account = %(account)s and gone_at is null
    ) as box
    full join (
        select
            id, market, sku, currency, floor, ceiling, target, margin, margin_pct, verdict, reason, decided_at
        from backmarket.repricing
        where account = %(account)s
    ) as repricing using (id, market)
) as stood
where
    (%(standings)s::text [] is null or stood.kind = any(%(standings)s))
    and not exists (
        select 1
        from backmarket.listings as listing
        where listing.account = %(account)s and listing.id = stood.id and listing.gone_at is not null
    );

-- name: chart_backbox
-- How many listings compete for the BackBox, and how many win it, at the end of each of the last 30 days (UTC), by market.
-- :account
--
-- Of each change only the difference to the one before it is counted, and differences are added up by day: each row of the
-- history is looked at once. A listing that is gone is asked about no more, so that nothing else ends its part.
with days as (
    select day::date as day
    from
        generate_series(
            (now() at time zone 'UTC')::date - interval '29 days', (now() at time zone 'UTC')::date, interval '1 day'
        ) as day
),

stood as (
    select
        market,
        read_at,
        -- 0: takes no part, 1: takes part and loses, 2: wins.
        case when takes_part then 1 + is_winning::integer else 0 end as standing,
        lag(case when takes_part then 1 + is_winning::integer else 0 end, 1, 0) over by_time as before
    from backmarket.backbox_history
    where account = %(account)s
    window by_time as (partition by id, market order by read_at)
    union all
    select box.market, listing.gone_at, 0, 1 + box.is_winning::integer
    from backmarket.backbox as box
    inner join backmarket.listings as listing on box.account = listing.account and box.id = listing.id
    where box.account = %(account)s and box.gone_at is null and listing.gone_at is not null
),

by_day as (
    select
        market,
        greatest((read_at at time zone 'UTC')::date, (now() at time zone 'UTC')::date - 29) as day,
        sum((standing > 0)::integer - (before > 0)::integer) as competing,
        sum((standing = 2)::integer - (before = 2)::integer) as won
    from stood
    where standing <> before
    group by 1, 2
),

markets as (
    select distinct market from by_day
),

added_up as (
    select
        days.day,
        markets.market,
        sum(moves.competing) over so_far as competing,
        sum(moves.won) over so_far as won
    from days
    cross join markets
    left join by_day as moves on days.day = moves.day and markets.market = moves.market
    window so_far as (partition by markets.market order by days.day)
)

select day as bucket, market as series, competing::integer as competing, won::integer as won
from added_up
where competing > 0
order by 1, 2;

-- name: chart_changes
-- Changes sent in the last 30 days by UTC day and kind; counted a day and a kind at a time, which an index answers alone.
-- :account, :kinds
select days.day::date as bucket, kinds.kind as series, counted.value
from
    generate_series(
        date_trunc('day', now() at time zone 'UTC') - interval '29 days',
        date_trunc('day', now() at time zone 'UTC'),
        interval '1 day'
    ) as days (day)
cross join unnest(%(kinds)s::text []) as kinds (kind)
cross join lateral (
    select count(*) as value
    from backmarket.changes as change
    where
        change.account = %(account)s and change.kind = kinds.kind
        and change.sent_at >= days.day at time zone 'UTC'
        and change.sent_at < (days.day + interval '1 day') at time zone 'UTC'
) as counted
where counted.value > 0
order by 1, 2;

-- name: chart_orders
-- Orders of the last 30 days by UTC day of creation and country of the market.
-- :account
select (date_creation at time zone 'UTC')::date as bucket, coalesce(country_code, '?') as series, count(*) as value
from backmarket.orders
where account = %(account)s and date_creation >= date_trunc('day', now() at time zone 'UTC') at time zone 'UTC' - interval '29 days'
group by 1, 2
order by 1, 2;

-- name: chart_settlements
-- What the last 16 weeks earned, net, by week (its Monday) and currency.
-- :account
select date_trunc('week', day)::date as bucket, currency as series, sum(amount) as value
from backmarket.settlement_day_sums
where
    account = %(account)s
    and day >= date_trunc('week', (now() at time zone 'UTC'))::date - 15 * 7
    and category not in ('cash_flow', 'unknown')
group by 1, 2
order by 1, 2;

-- name: count_backbox
-- How many listings compete for the BackBox in each market, as last read; none of it where they once did.
-- :account
select
    box.market,
    count(*) filter (where box.gone_at is null) as competing,
    count(*) filter (where box.gone_at is null and box.is_winning) as won,
    count(*) filter (
        where box.gone_at is null and not box.is_winning and box.price_to_win >= repricing.floor
    ) as within_floor
from backmarket.backbox as box
left join backmarket.repricing as repricing
    on box.account = repricing.account and box.id = repricing.id and box.market = repricing.market
where
    box.account = %(account)s
    and not exists (
        select 1
        from backmarket.listings as listing
        where listing.account = box.account and listing.id = box.id and listing.gone_at is not null
    )
group by box.market
order by competing desc, box.market;

-- name: count_care_folders
-- Open care folders by whose turn it is, and since when the longest waits.
-- :account
select waits_for, count(*) as folders, min(waits_since) as waits_since
from backmarket.care_folders
where account = %(account)s and state is distinct from 9 and gone_at is null
group by waits_for;

-- name: count_changes
-- Changes sent in the last 30 days.
-- :account, :kinds
select count(*) as changes
from backmarket.changes
where account = %(account)s and kind = any(%(kinds)s) and sent_at >= now() - interval '30 days';

-- name: count_changes_ended
-- Changes sent in the last 24 hours that have ended, by kind and by how.
-- :account, :statuses
select kind, status, count(*) as changes
from backmarket.changes
where
    account = %(account)s and sent_at >= now() - interval '24 hours' and status = any(%(statuses)s)
group by kind, status;

-- name: count_changes_waiting
-- Changes that have not ended, by kind and status. The list of statuses is that of the index.
-- :account, :statuses
select kind, status, count(*) as changes
from backmarket.changes
where
    account = %(account)s and status = any(%(statuses)s)
    and status in ('planned', 'awaiting_approval', 'sent', 'unknown', 'dry_run')
group by kind, status;

-- name: count_findings
-- Open findings by kind; those kinds too that had findings once, and have none open.
-- :account
select kind, count(*) filter (where status = 'open') as findings
from backmarket.settlement_findings
where account = %(account)s
group by kind;

-- name: count_moves
-- Prices that were moved for the BackBox within the last 24 hours, or would have been but for the dry run, and those that
-- wait for a person. Each condition is one that an index answers.
-- :account
select
    (
        select count(*)
        from backmarket.changes
        where account = %(account)s and kind = 'price' and payload ? 'why' and sent_at >= now() - interval '24 hours'
    ) as moved,
    (
        select count(*)
        from backmarket.changes
        where
            account = %(account)s and kind = 'price' and payload ? 'why' and status = 'dry_run'
            and planned_at >= now() - interval '24 hours'
    ) as in_dry_run,
    (
        select count(*)
        from backmarket.changes
        where account = %(account)s and kind = 'price' and payload ? 'why' and status = 'awaiting_approval'
    ) as waiting;

-- name: count_orders
-- Orders created in the last 30 days.
-- :account
select count(*) as orders
from backmarket.orders
where account = %(account)s and date_creation >= now() - interval '30 days';

-- name: count_returns_under_way
-- Returns that have not reached the seller.
-- :account
select count(*) as returns
from backmarket.returns
where account = %(account)s and date_delivery is null;

-- name: list_backbox
-- Listings in the competition for the BackBox, with what they are called.
-- :account; rows is the statement within
with stood as ({rows})

select
    stood.*,
    case when coalesce(listing.sku, stood.sku) is null then '' else 'sku' end as story,
    coalesce(listing.sku, stood.sku, stood.id::text) as subject,
    concat_ws(' · ', listing.title, stood.why) as detail,
    round(stood.gap * 100 / nullif(stood.floor, 0), 1) as gap_pct,
    round(stood.margin_pct, 1) as left_pct,
    concat_ws('/', stood.market, stood.id) as topic
from stood
left join backmarket.listings as listing on listing.account = %(account)s and stood.id = listing.id

-- name: list_care_folders
-- Care folders, without what was written in them.
-- :account
select
    case when order_id is null then '' else 'order' end as story,
    coalesce(order_id::text, 'care folder ' || care_folder_id) as subject,
    case
        when gone_at is not null then 'no longer served'
        when state = 9 then 'closed'
        when waits_for = 'seller' then 'waits for you'
        when waits_for = 'customer' then 'waits for the customer'
        else 'open'
    end as kind,
    coalesce(country_code, '') as market,
    array_to_string(issues, ', ') as detail,
    null::numeric as amount,
    null as currency,
    date_creation as since,
    care_folder_id::text as topic,
    waits_since,
    replace(last_message_by, '_', ' ') as last_message_by,
    date_last_message,
    jsonb_array_length(return_labels) as labels,
    date_closed
from backmarket.care_folders
where account = %(account)s;

-- name: list_changes
-- The newest changes of each kind, and what became of them; none whose place a newer plan took before it was sent.
-- :account, :kinds, :each (how many of a kind)
select
    case when change.kind in ('accept', 'imei', 'tracking', 'refund', 'invoice') then 'order' else 'sku' end as story,
    coalesce(
        line.order_id::text, case when change.kind = 'refund' then change.payload ->> 'order_id' end, change.subject
    ) as subject,
    change.kind,
    change.market,
    replace(change.status, '_', ' ') as status,
    change.payload ->> 'quantity' as units,
    case change.kind
        when 'price' then (change.payload ->> 'price')::numeric
        when 'refund' then (change.payload ->> 'amount')::numeric
    end as amount,
    case when change.kind in ('price', 'refund') then change.payload ->> 'currency' end as currency,
    change.reason as why,
    concat_ws(' · ', replace(change.status, '_', ' '), change.reason) as detail,
    change.attempts,
    change.planned_at as since,
    change.sent_at,
    change.confirmed_at,
    lpad(change.change_id::text, 19, '0') as topic
from unnest(%(kinds)s::text []) as kinds (kind)
cross join lateral (
    select *
    from backmarket.changes
    where account = %(account)s and kind = kinds.kind and status <> 'superseded'
    order by planned_at desc
    limit %(each)s
) as change
left join lateral (
    select order_line.order_id
    from backmarket.order_lines as order_line
    where
        change.kind in ('accept', 'imei') and order_line.account = change.account
        and order_line.orderline_id = case when change.subject ~ '^\d{1,18}$' then change.subject::bigint end
    limit 1
) as line on true;

-- name: list_files
-- The files of the seller as they were when they were read last; of one that has left the inbox no row is kept as bad.
-- :account
select
    'file' as story,
    regexp_replace(path, '^.*/', '') as subject,
    case when gone_at is null or status = 'loaded' then status else 'taken away' end as kind,
    '' as market,
    reason as why,
    concat_ws(' ', target, path, reason) as detail,
    null::numeric as amount,
    null::text as currency,
    read_at as since,
    path as topic,
    target,
    row_count,
    case when gone_at is null then rejected end as rejected,
    new_rows,
    changed_rows,
    gone_rows
from backmarket.seller_files
where account = %(account)s;

-- name: list_first
-- The first rows of a list, each with how many there are.
-- :most; rows and order as for list_rows
select listed.*, count(*) over () as total -- noqa: AM04
from ({rows}) as listed
order by {order} nulls last, topic
limit %(most)s;

-- name: list_inventory
-- How the newest plan came to the units of each SKU with stock.
-- :account
select
    'sku' as story,
    sku as subject,
    case
        when wanted = shown then 'as wanted'
        when reason is null then 'sent'
        else 'not sent'
    end as kind,
    '' as market,
    stock,
    reserved,
    held,
    sellable,
    safety_qty,
    max_qty,
    wanted,
    shown,
    feeders.words as yours,
    reason as why,
    concat_ws(' · ', feeders.words, reason) as detail,
    null::numeric as amount,
    null as currency,
    planned_at as since,
    sku as topic
from backmarket.inventory as inventory
left join lateral (
    select
        string_agg(
            concat(
                feeder ->> 'share', ' of ', feeder ->> 'quantity', ' ', feeder ->> 'sku',
                case when feeder ->> 'units' <> '1' then concat(' (', feeder ->> 'units', ' a unit)') end
            ),
            ', '
        ) as words
    -- Through JSON, as a database that no run has brought up to date yet has no such column.
    from jsonb_array_elements(nullif(to_jsonb(inventory) -> 'fed_by', 'null')) as feeder
) as feeders on true
where account = %(account)s;

-- name: list_orders
-- Open orders, and what each waits for.
-- :account
with yours as (
    select line.order_id, 'yours: ' || string_agg(distinct map.sku::text, ', ') as skus
    from backmarket.orders as orders
    inner join backmarket.order_lines as line on orders.account = line.account and orders.order_id = line.order_id
    inner join seller.sku_map as map
        on line.account = map.account::text
        and backmarket.sku_key(line.sku) = backmarket.sku_key(map.listing_sku::text)
    where orders.account = %(account)s and orders.state in (0, 1, 3, 10) and orders.gone_at is null
    group by line.order_id
)

select
    'order' as story,
    desk.order_id::text as subject,
    coalesce(desk.waits_for, 'nothing') as kind,
    coalesce(desk.country_code, '') as market,
    desk.reason as why,
    concat_ws(' · ', desk.skus, yours.skus, desk.reason) as detail,
    concat_ws(' · ', desk.skus, yours.skus) as skus,
    desk.units,
    desk.ship_by,
    orders.price as amount,
    orders.currency,
    coalesce(desk.date_payment, orders.date_creation) as since,
    desk.order_id::text as topic
from backmarket.order_desk as desk
inner join backmarket.orders as orders on desk.account = orders.account and desk.order_id = orders.order_id
left join yours on desk.order_id = yours.order_id
where
    desk.account = %(account)s
    -- As the desk does, so that an index finds them.
    and orders.state in (0, 1, 3, 10) and orders.gone_at is null;

-- name: list_profit
-- What order lines left that were sold in a period, both days included; costs are positive.
-- :account, :first_day, :last_day
select
    'order' as story,
    profit.order_id::text as subject,
    profit.sku,
    coalesce(profit.market, '') as market,
    case when profit.cost_reason is not null then 'cost unknown' when profit.is_settled then 'settled' else 'expected' end
        as kind,
    profit.units,
    coalesce(profit.imei, profit.serial_number) as device,
    profit.revenue,
    profit.commission,
    profit.fees,
    profit.logistics,
    profit.refunds,
    profit.vat,
    profit.cost,
    profit.margin as amount,
    profit.currency,
    profit.cost_reason as why,
    concat_ws(' ', profit.sku, profit.imei, profit.serial_number, profit.product) as detail,
    profit.sold_on::timestamp at time zone 'UTC' as since,
    lpad(profit.orderline_id::text, 19, '0') as topic
from backmarket.profit
where profit.account = %(account)s and profit.sold_on between %(first_day)s and %(last_day)s;

-- name: list_profit_orders
-- What orders left that were placed in a period, both days included; what is not known of one line is not of the order.
-- :account, :first_day, :last_day
select
    'order' as story,
    profit.order_id::text as subject,
    coalesce(min(profit.market), '') as market,
    case
        when bool_or(profit.cost_reason is not null) then 'cost unknown'
        when bool_and(profit.is_settled) then 'settled'
        else 'expected'
    end as kind,
    string_agg(distinct profit.sku, ', ') as skus,
    sum(profit.units) as units,
    sum(profit.revenue) as revenue,
    sum(profit.commission) as commission,
    sum(profit.fees) as fees,
    sum(profit.logistics) as logistics,
    sum(profit.refunds) as refunds,
    case when bool_and(profit.vat is not null) then sum(profit.vat) end as vat,
    case when bool_and(profit.cost is not null) then sum(profit.cost) end as cost,
    case when bool_and(profit.margin is not null) then sum(profit.margin) end as amount,
    profit.currency,
    min(profit.cost_reason) as why,
    string_agg(distinct profit.sku, ' ') as detail,
    min(profit.sold_on)::timestamp at time zone 'UTC' as since,
    lpad(profit.order_id::text, 19, '0') as topic
from backmarket.profit
where profit.account = %(account)s and profit.sold_on between %(first_day)s and %(last_day)s
group by profit.order_id, profit.currency;

-- name: list_refunds
-- Refunds and what became of them; none whose place a newer plan took.
-- :account
select
    'order' as story,
    coalesce(change.payload ->> 'order_id', change.subject) as subject,
    change.payload ->> 'refund' as kind,
    '' as market,
    change.subject as orderline_id,
    change.payload ->> 'sku' as sku,
    case
        when change.status = 'awaiting_approval' then 'waits for a person'
        when change.status = 'unknown' then 'in doubt'
        else replace(change.status, '_', ' ')
    end as status,
    change.reason as why,
    concat_ws(' · ', 'line ' || change.subject, replace(change.status, '_', ' '), change.reason) as detail,
    (change.payload ->> 'amount')::numeric as amount,
    change.payload ->> 'currency' as currency,
    approval.decided_by,
    change.attempts,
    change.planned_at as since,
    change.sent_at,
    change.confirmed_at,
    lpad(change.change_id::text, 19, '0') as topic
from backmarket.changes as change
left join backmarket.refund_approvals as approval
    on
        change.account = approval.account
        and (change.payload ->> 'orderline_id')::bigint = approval.orderline_id
        and change.payload ->> 'refund' = approval.kind
        and (change.payload ->> 'amount')::numeric = approval.amount
        and change.payload ->> 'currency' = approval.currency
where change.account = %(account)s and change.kind = 'refund' and change.status <> 'superseded';

-- name: list_returns
-- Parcels that customers send back, and how far each is.
-- :account
select
    case when parcel.order_id is null then '' else 'order' end as story,
    coalesce(parcel.order_id::text, 'return ' || parcel.shipment_id) as subject,
    case
        when parcel.date_delivery is not null then 'reached you'
        when parcel.date_pickup is not null then 'under way'
        else 'not handed over yet'
    end as kind,
    '' as market,
    concat_ws(' · ', line.sku, parcel.carrier_name, parcel.tracking_number) as detail,
    line.sku,
    parcel.carrier_name,
    parcel.tracking_number,
    parcel.invoiced_price as amount,
    parcel.invoiced_currency as currency,
    parcel.date_creation as since,
    parcel.date_pickup,
    parcel.date_delivery,
    parcel.shipment_id::text as topic
from backmarket.returns as parcel
left join backmarket.order_lines as line
    on parcel.account = line.account and parcel.orderline_id = line.orderline_id
where parcel.account = %(account)s;

-- name: list_rows
-- The rows of a list that were asked for, beside what there is to choose from; one row without a topic where none is.
-- :market, :kind, :amount, :days, :text, :most, :skip; rows is the list's own statement, order a column of it
--
-- Every list has: subject, kind, market (several with a blank between), detail, amount, currency, since, topic (whose
-- order is that of rows that are alike), and what else its own columns show.
with listed as ({rows}),

matched as (
    select *
    from listed
    where
        (%(market)s::text = '' or %(market)s::text = any(string_to_array(market, ' ')))
        and (%(kind)s::text = '' or kind = %(kind)s::text)
        and (%(amount)s::numeric is null or abs(amount) >= %(amount)s::numeric)
        and (%(days)s::integer is null or since <= now() - make_interval(days => %(days)s::integer))
        and (%(text)s::text = '' or position(lower(%(text)s::text) in lower(concat_ws(' ', subject, detail))) > 0)
),

choices as (
    select
        (select count(*) from matched) as total,
        array(
            select distinct each_market
            from (select distinct market from listed) as combinations, string_to_table(market, ' ') as each_market
            where each_market <> '' order by 1
        ) as markets,
        array(select distinct kind from listed where kind <> '' order by 1) as kinds,
        exists (select 1 from listed where amount is not null) as has_amounts
),

shown as (
    select *
    from matched
    order by {order} nulls last, topic
    limit %(most)s::bigint offset %(skip)s::bigint
)

select choices.*, shown.* -- noqa: AM04
from choices
left join shown on true
order by {order} nulls last, topic;
-- name: list_settled_orders
-- What the statements of a period, both ends included, paid for each order, signed as there, and open findings about it.
-- :account, :first_day, :last_day
with paid as (
    select
        order_id, currency, max(value_date) as day,
        coalesce(sum(amount) filter (where category = 'revenue'), 0) as sales,
        coalesce(sum(amount) filter (where category in ('commission', 'payment_fee', 'service', 'logistics')), 0) as fees,
        coalesce(sum(amount) filter (where category = 'refund'), 0) as refunds,
        coalesce(sum(amount) filter (where category = 'adjustment'), 0) as adjustments,
        coalesce(sum(amount) filter (where category not in ('cash_flow', 'unknown')), 0) as net
    from backmarket.settlement_lines
    where
        account = %(account)s and order_id is not null and not vanished
        and value_date between %(first_day)s and %(last_day)s
    group by order_id, currency
),

differing as (
    select
        order_id, currency, max(day) as day, sum(at_stake) as at_stake,
        string_agg(distinct replace(kind, '_', ' '), ', ') as kinds
    from backmarket.settlement_open_findings
    where account = %(account)s and order_id is not null and day between %(first_day)s and %(last_day)s
    group by order_id, currency
)

select
    'order' as story, coalesce(paid.order_id, differing.order_id)::text as subject,
    coalesce(orders.country_code, '') as market,
    case when differing.kinds is null then 'no difference' else 'open difference' end as kind,
    paid.sales, paid.fees, paid.refunds, paid.adjustments, paid.net as amount,
    coalesce(paid.currency, differing.currency) as currency,
    differing.at_stake, differing.kinds as why, differing.kinds as detail,
    greatest(paid.day, differing.day)::timestamp at time zone 'UTC' as since,
    concat_ws('/', coalesce(paid.order_id, differing.order_id), coalesce(paid.currency, differing.currency)) as topic
from paid
full join differing on paid.order_id = differing.order_id and paid.currency = differing.currency
left join backmarket.orders as orders
    on orders.account = %(account)s and orders.order_id = coalesce(paid.order_id, differing.order_id);

-- name: list_worked_off
-- What people did about things, as a list.
-- rows is worked_off
select
    done.mark_id,
    done.story,
    done.subject,
    done.need as kind,
    done.detail,
    done.mark,
    done.marked_by,
    done.comment,
    done.run_path,
    done.status,
    done.reason,
    '' as market,
    null::numeric as amount,
    null as currency,
    done.marked_at as since,
    lpad(done.mark_id::text, 19, '0') as topic
from ({rows}) as done

-- name: digest_backbox
-- How many listings competed for the BackBox at the end of a UTC day, how many won it, and how many prices were moved for
-- it on that day.
-- :account, :day
select
    count(*) filter (where stood.takes_part) as competing,
    count(*) filter (where stood.takes_part and stood.is_winning) as won,
    (
        select count(*)
        from backmarket.changes
        where
            account = %(account)s and kind = 'price' and payload ? 'why'
            and sent_at >= %(day)s::timestamp at time zone 'UTC'
            and sent_at < (%(day)s::timestamp + interval '1 day') at time zone 'UTC'
    ) as moves
from (
    select distinct on (history.id, history.market) history.takes_part, history.is_winning
    from backmarket.backbox_history as history
    left join backmarket.listings as listing on history.account = listing.account and history.id = listing.id
    where
        history.account = %(account)s and listing.gone_at is null
        and history.read_at < (%(day)s::timestamp + interval '1 day') at time zone 'UTC'
    order by history.id asc, history.market asc, history.read_at desc
) as stood;

-- name: digest_orders
-- The orders of a UTC day, by creation, and their units: what was paid, and is neither cancelled nor refunded.
-- :account, :day
select count(distinct line.order_id) as orders, coalesce(sum(line.quantity), 0) as units
from backmarket.orders as orders
inner join backmarket.order_lines as line
    on orders.account = line.account and orders.order_id = line.order_id and line.gone_at is null
where
    orders.account = %(account)s and orders.gone_at is null and line.state in (1, 2, 3)
    and orders.date_creation >= %(day)s::timestamp at time zone 'UTC'
    and orders.date_creation < (%(day)s::timestamp + interval '1 day') at time zone 'UTC';

-- name: digest_sales
-- What these orders are worth by currency: the sale with its shipping, the commission, and what that leaves.
-- :account, :day
select
    coalesce(line.currency, '?') as currency,
    coalesce(sum(line.sale), 0) as sales,
    coalesce(sum(line.fee), 0) as commission,
    coalesce(sum(line.sale), 0) - coalesce(sum(line.fee), 0) as net
from backmarket.orders as orders
inner join backmarket.settlement_expected_lines as line
    on orders.account = line.account and orders.order_id = line.order_id
where
    orders.account = %(account)s and orders.gone_at is null and line.state in (1, 2, 3)
    and orders.date_creation >= %(day)s::timestamp at time zone 'UTC'
    and orders.date_creation < (%(day)s::timestamp + interval '1 day') at time zone 'UTC'
group by 1
order by 1;

-- name: needs_approvals
-- Moves of prices that a person has to approve before they are sent. An old price that is none stands as None in what an
-- earlier version planned.
-- :account, :kinds
select
    'sku' as story,
    subject,
    kind,
    market,
    moved.words as why,
    concat_ws(' · ', nullif(market, ''), moved.words) as detail,
    (payload ->> 'price')::numeric as amount,
    payload ->> 'currency' as currency,
    planned_at as since,
    concat_ws('/', market, subject) as topic,
    change_id,
    nullif(payload ->> 'old_price', 'None')::numeric as old_price,
    round(
        ((payload ->> 'price')::numeric / nullif(nullif(payload ->> 'old_price', 'None')::numeric, 0) - 1) * 100, 1
    ) as change_pct
from backmarket.changes
cross join lateral (
    select
        concat(
            coalesce(nullif(payload ->> 'old_price', 'None'), 'no price'), ' → ', payload ->> 'price', ' ',
            payload ->> 'currency',
            ' (' || to_char(
                ((payload ->> 'price')::numeric / nullif(nullif(payload ->> 'old_price', 'None')::numeric, 0) - 1) * 100,
                'FMSG999990.0'
            ) || ' %%)'
        ) as words
) as moved
where account = %(account)s and status = 'awaiting_approval' and kind = 'price' and kind = any(%(kinds)s);

-- name: needs_customers
-- Customers who have waited too long for an answer, or Back Market for them; another message changes the detail.
-- :account, :answer_hours
select
    case when folder.order_id is null then '' else 'order' end as story,
    coalesce(folder.order_id::text, 'care folder ' || folder.care_folder_id) as subject,
    coalesce(folder.last_message_by, '') as kind,
    coalesce(folder.country_code, '') as market,
    told.words as why,
    concat_ws(
        ' · ',
        folder.country_code,
        told.words,
        'last message ' || to_char(folder.date_last_message at time zone 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC'
    ) as detail,
    null::numeric as amount,
    null as currency,
    told.since,
    folder.care_folder_id::text as topic
from backmarket.care_folders as folder
cross join lateral (
    select coalesce(folder.waits_since, folder.date_last_message, folder.first_seen_at) as moment
) as begun
cross join lateral (
    select
        begun.moment as since,
        concat('waits for you since ', to_char(begun.moment at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), ' UTC') as words
) as told
where
    folder.account = %(account)s and folder.state is distinct from 9 and folder.gone_at is null
    and folder.waits_for = 'seller'
    and told.since < now() - make_interval(hours => %(answer_hours)s);

-- name: needs_feeds
-- Tables of the seller that the newest reading found unusable as a whole; what nobody reads any more is not told.
-- :account, :kinds (of the changes that come from a table)
select
    '' as story,
    feed as subject,
    replace(feed, 'seller.', '') as kind,
    '' as market,
    array_to_string(reasons, ' · ') as why,
    case
        when row_count is null then 'cannot be read'
        else concat(
            'cannot be used: ', to_char(left_out, 'FM999,999,999,990'), ' of ', to_char(row_count, 'FM999,999,999,990'),
            case row_count when 1 then ' row' else ' rows' end
        )
    end as summary,
    concat_ws(
        ' · ',
        case
            when row_count is not null
                then concat(
                    to_char(left_out, 'FM999,999,999,990'), ' of ', to_char(row_count, 'FM999,999,999,990'),
                    case row_count when 1 then ' row' else ' rows' end
                )
        end,
        array_to_string(reasons, ' · ')
    ) as detail,
    null::numeric as amount,
    null as currency,
    unusable_since as since,
    feed as topic
from backmarket.feeds
where
    account = %(account)s
    and unusable_since is not null
    and judged_at > now() - interval '2 days'
    and exists (
        select 1
        from (
            values
            ('stock', 'quantity'), ('stock', 'accept'), ('prices', 'price'), ('shipments', 'tracking'),
            ('shipper_aliases', 'tracking'), ('devices', 'imei'), ('catalog', 'listing'), ('catalog', 'product'), ('sku_map', 'quantity'),
            ('sku_map', 'price'), ('refunds', 'refund'), ('costs', 'price'), ('device_costs', 'price'),
            ('fx_rates', 'price'), ('vat_rates', 'price')
        ) as fed (name, kind)
        where 'seller.' || fed.name = feeds.feed and fed.kind = any(%(kinds)s)
    );

-- name: needs_findings
-- Differences between statements and orders that are still open.
-- :account
select
    case when finding.order_id is null then '' else 'order' end as story,
    coalesce(finding.order_id::text, finding.invoice_ref, finding.subject) as subject,
    finding.kind,
    coalesce(
        (
            select orders.country_code
            from backmarket.orders as orders
            where orders.account = finding.account and orders.order_id = finding.order_id
        ),
        ''
    ) as market,
    told.words as why,
    concat_ws(' · ', replace(finding.kind, '_', ' '), nullif(told.words, '')) as detail,
    abs(coalesce(finding.actual, 0) - coalesce(finding.expected, 0)) as amount,
    finding.currency,
    finding.opened_at as since,
    concat_ws('/', finding.kind, finding.subject) as topic
from backmarket.settlement_findings as finding
cross join lateral (
    select
        concat_ws(
            ' · ',
            'expected ' || finding.expected || ' ' || coalesce(finding.expected_currency, finding.currency),
            'found ' || finding.actual || ' ' || finding.currency
        ) as words
) as told
where finding.account = %(account)s and finding.status = 'open';

-- name: needs_invoice_files
-- Files of the invoice folder that cannot be sent. A path may hold a customer's name, so none is told. Where the order is
-- known and its invoice is refused for it, that is told with the refused changes.
-- :account
select
    case when file.order_id is null then '' else 'order' end as story,
    coalesce(file.order_id::text, 'a file') as subject,
    '' as kind,
    '' as market,
    told.words as why,
    told.words as detail,
    null::numeric as amount,
    null as currency,
    file.read_at as since,
    md5(file.path) as topic
from backmarket.invoice_files as file
cross join lateral (
    select
        concat(
            file.reason,
            case when file.size >= 0 then concat(
                ' · saved ', to_char(file.modified_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), ' UTC, ',
                to_char(file.size, 'FM999,999,999,999,990'), ' bytes'
            ) end
        ) as words
) as told
where
    file.account = %(account)s and file.reason is not null
    and not exists (
        select 1
        from backmarket.changes as change
        where
            change.account = file.account and change.kind = 'invoice' and change.subject = file.order_id::text
            and change.status = 'refused' and change.planned_at >= now() - interval '14 days'
    );

-- name: needs_late_orders
-- Paid orders whose day of dispatch has passed.
-- :account
select
    'order' as story,
    order_id::text as subject,
    case state when 1 then 'to accept' else 'to ship' end as kind,
    coalesce(country_code, '') as market,
    advice.words as why,
    concat_ws(' · ', country_code, advice.words) as detail,
    price as amount,
    currency,
    expected_dispatch_date as since,
    order_id::text as topic
from backmarket.orders
cross join lateral (
    select
        case
            when state = 1 then 'not accepted: accept it, or cancel it in the Back Office'
            when is_backship
                then 'accepted, Backship: hand the parcel over under Back Market''s label; no tracking comes from you'
            else 'accepted, not shipped: ship it, or cancel it in the Back Office'
        end as words
) as advice
where
    account = %(account)s and state in (1, 3) and gone_at is null
    and expected_dispatch_date < now();

-- name: needs_left
-- Of the things that wait, those that nobody has worked off: what is resolved comes back where it is found again or
-- changes, what is ignored where it changes. With what was done about each last, and what stands for it in a form.
-- :account, :need; rows is the statement within
select
    found.*,
    concat(md5(found.detail), ':', found.topic) as value,
    done.mark,
    done.comment,
    done.marked_by,
    done.marked_at
-- No common table expression: what is costly about a row would be worked out for all of them, not for those shown.
from ({rows}) as found
left join (
    select distinct on (topic) topic, mark, detail, comment, marked_by, marked_at
    from backmarket.need_marks
    where account = %(account)s and need = %(need)s
    order by topic asc, mark_id desc
) as done on found.topic = done.topic
where
    not coalesce(
        found.detail = done.detail
        and (done.mark = 'ignored' or (done.mark in ('resolved', 'approved', 'declined') and found.since <= done.marked_at)),
        false
    )

-- name: needs_quarantine
-- Documents that came in, and rows of the seller, that could not be understood.
-- :account
select
    case
        when entity in ('order', 'seller.shipments', 'seller.devices', 'seller.refunds') and key ~ '^\d+$' then 'order'
        when entity = 'seller.stock' and key <> 'unnamed' then 'sku'
        else ''
    end as story,
    case when entity = 'settlement_file' then coalesce(document ->> 'path', key) else key end as subject,
    split_part(entity, ' ', 1) as kind,
    '' as market,
    case when entity like 'seller_file %%' then concat(regexp_replace(entity, '^.*/', ''), ': ', reason) else reason end
        as why,
    concat(entity, ' · ', reason) as detail,
    null::numeric as amount,
    null as currency,
    first_seen_at as since,
    concat_ws('/', entity, key) as topic
from backmarket.quarantine
where account = %(account)s;

-- name: needs_refund_approvals
-- Refunds that a person has to approve before they are sent.
-- :account
select
    'order' as story,
    payload ->> 'order_id' as subject,
    payload ->> 'refund' as kind,
    '' as market,
    subject as orderline_id,
    reason as why,
    concat_ws(
        ' · ',
        'line ' || subject,
        concat(replace(payload ->> 'refund', '_', ' '), ' of ', payload ->> 'amount', ' ', payload ->> 'currency'),
        reason
    ) as detail,
    (payload ->> 'amount')::numeric as amount,
    payload ->> 'currency' as currency,
    planned_at as since,
    subject as topic,
    change_id
from backmarket.changes
where account = %(account)s and status = 'awaiting_approval' and kind = 'refund';

-- name: needs_refunds_in_doubt
-- Refunds in doubt: parts whose answer was lost, which no document shows, what Back Market answered as done and does not
-- show, and whole ones whose order could not tell for a day. What was sent a moment ago may still arrive.
-- :account
select
    'order' as story,
    payload ->> 'order_id' as subject,
    payload ->> 'refund' as kind,
    '' as market,
    subject as orderline_id,
    told.words as why,
    concat_ws(
        ' · ', 'line ' || subject, concat(payload ->> 'amount', ' ', payload ->> 'currency'), told.words
    ) as detail,
    (payload ->> 'amount')::numeric as amount,
    payload ->> 'currency' as currency,
    sent_at as since,
    subject as topic,
    change_id
from backmarket.changes
cross join lateral (
    select
        concat(
            'sent ', to_char(sent_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), ' UTC, ',
            case when is_answered then 'answered as done, and not shown' else 'answer lost' end
        ) as words
    -- Through JSON, as a database that no run has brought up to date yet has no such column.
    from (select to_jsonb(changes) ->> 'answered_at' is not null as is_answered) as told_by
) as told
where
    account = %(account)s and status = 'unknown' and kind = 'refund' and attempts > 0
    and (
        payload ->> 'is_whole' = 'false' or to_jsonb(changes) ->> 'answered_at' is not null
        or sent_at < now() - interval '1 day'
    )
    and sent_at < now() - interval '15 minutes';

-- name: needs_stock_and_prices
-- What was found of stock and prices: counts that are missing or old, changes made outside.
-- :account
select
    'sku' as story,
    sku as subject,
    kind,
    market,
    detail as why,
    concat_ws(' · ', concat_ws(' ', replace(kind, '_', ' '), nullif(market, '')), detail) as detail,
    null::numeric as amount,
    null as currency,
    first_seen_at as since,
    concat_ws('/', kind, market, sku) as topic
from backmarket.inventory_findings
where account = %(account)s;

-- name: needs_unclaimed_rows
-- Rows of the seller's tables whose account nobody runs, most likely meant for this one.
-- :account
select
    '' as story,
    concat(unclaimed.feed, ' · ', coalesce(nullif(left(unclaimed.given, 40), ''), '(no account)')) as subject,
    replace(unclaimed.feed, 'seller.', '') as kind,
    '' as market,
    told.words as why,
    told.words as detail,
    null::numeric as amount,
    null as currency,
    unclaimed.first_seen_at as since,
    concat_ws('/', unclaimed.feed, unclaimed.given) as topic
from backmarket.unclaimed_rows as unclaimed
cross join lateral (
    select
        concat(
            to_char(unclaimed.row_count, 'FM999,999,999,990'), case unclaimed.row_count when 1 then ' row' else ' rows' end,
            ' for an account that nobody runs here; meant is most likely ', unclaimed.account
        ) as words
) as told
where unclaimed.account = %(account)s;

-- name: needs_unserved_parts
-- Parts of what comes after the sale that Back Market does not serve; what nobody asks for any more is not told.
-- :account
select
    '' as story,
    case part when 'care' then 'care folders' else part end as subject,
    '' as kind,
    '' as market,
    coalesce(reason, '') as why,
    coalesce(reason, '') as detail,
    null::numeric as amount,
    null as currency,
    unavailable_since as since,
    part as topic
from backmarket.after_sales_parts
where
    account = %(account)s and unavailable_since is not null
    and coalesce(asked_at, unavailable_since) > now() - interval '3 days';

-- name: order_approvals
-- What people were asked about refunds of an order, and what they decided.
-- :account, :order_id
select
    event.at,
    'approval' as source,
    event.what,
    concat_ws(
        ' · ',
        'line ' || approval.orderline_id,
        concat(replace(approval.kind, '_', ' '), ' of ', approval.amount, ' ', approval.currency),
        event.detail
    ) as detail
from backmarket.order_lines as line
inner join backmarket.refund_approvals as approval
    on line.account = approval.account and line.orderline_id = approval.orderline_id
cross join lateral (
    select approval.asked_at as at, 'a person is asked' as what, nullif(approval.reason, '') as detail
    -- What is decided on the page may never have been asked in a form.
    where approval.decided_at is null or approval.asked_at < approval.decided_at - interval '1 second'
    union all
    select
        approval.decided_at,
        case approval.status
            when 'approved' then 'refund approved'
            when 'refused' then 'refund declined'
            else 'nobody decided in time'
        end,
        'by ' || approval.decided_by
    where approval.decided_at is not null
) as event
where line.account = %(account)s and line.order_id = %(order_id)s;

-- name: order_care
-- When care folders of an order were opened and closed, and the labels that were made in them.
-- :account, :order_id
select
    event.at,
    'care' as source,
    event.what,
    concat_ws(' · ', 'care folder ' || folder.care_folder_id, event.detail) as detail,
    event.url
from backmarket.care_folders as folder
cross join lateral (
    select
        coalesce(folder.date_creation, folder.first_seen_at) as at,
        'care folder opened' as what,
        nullif(array_to_string(folder.issues, ', '), '') as detail,
        null as url
    union all
    select folder.date_closed, 'care folder closed', null, null
    where folder.date_closed is not null
    union all
    select folder.gone_at, 'care folder no longer served by Back Market', null, null
    where folder.gone_at is not null
    union all
    select
        coalesce((label ->> 'date_creation')::timestamptz, folder.date_creation, folder.first_seen_at),
        'return label made',
        concat_ws(' · ', label ->> 'kind', label ->> 'state'),
        label ->> 'url'
    from jsonb_array_elements(folder.return_labels) as label
) as event
where folder.account = %(account)s and folder.order_id = %(order_id)s;

-- name: order_changes
-- Every change sent, or meant to be sent, for an order and its lines, but those of after-sales.
-- :account, :order_id
with subjects as (
    select %(order_id)s::bigint::text as subject
    union
    select orderline_id::text from backmarket.order_lines where account = %(account)s and order_id = %(order_id)s
)

select
    coalesce(change.confirmed_at, change.sent_at, change.planned_at) as at,
    'change' as source,
    concat(change.kind, ' ', change.status) as what,
    concat_ws(
        ' · ',
        case when change.subject <> %(order_id)s::bigint::text then 'line ' || change.subject end,
        change.reason,
        case when change.attempts > 1 then change.attempts || ' attempts' end
    ) as detail
from subjects
inner join backmarket.changes as change
    on change.account = %(account)s and change.kind in ('accept', 'tracking', 'imei') and change.subject = subjects.subject;

-- name: order_events
-- What Back Market's document of an order tells, by time.
-- :account, :order_id
select event.at, 'document' as source, event.what, '' as detail
from backmarket.orders as orders
cross join lateral (
    values
    (orders.date_creation, 'ordered'),
    (orders.date_payment, 'paid'),
    (orders.first_seen_at, 'first downloaded'),
    (orders.date_shipping, 'shipped'),
    (orders.date_modification, 'last modified on Back Market'),
    (orders.read_at, 'stored document read'),
    (orders.gone_at, 'no longer served by Back Market')
) as event (at, what)
where orders.account = %(account)s and orders.order_id = %(order_id)s and event.at is not null
union all
select line.accepted_seen_at, 'document', 'seen accepted', concat('line ', line.orderline_id, ' · ', line.sku)
from backmarket.order_lines as line
where line.account = %(account)s and line.order_id = %(order_id)s and line.accepted_seen_at is not null;

-- name: order_findings
-- Differences found between an order and statements.
-- :account, :order_id
select
    coalesce(closed_at, opened_at) as at,
    'finding' as source,
    concat(replace(kind, '_', ' '), ' ', status) as what,
    concat_ws(
        ' · ',
        detail,
        'expected ' || expected || ' ' || coalesce(expected_currency, currency),
        'found ' || actual || ' ' || currency
    ) as detail
from backmarket.settlement_findings
where account = %(account)s and order_id = %(order_id)s;

-- name: order_head
-- One order.
-- :account, :order_id
select
    order_id, state, country_code, currency, price, shipping_price, payment_method, shipper, tracking_number,
    is_backship, expected_dispatch_date, date_shipping, read_at, gone_at,
    -- As needs_late_orders has it.
    state in (1, 3) and gone_at is null and coalesce(expected_dispatch_date < now(), false) as overdue,
    now() as as_of
from backmarket.orders
where account = %(account)s and order_id = %(order_id)s;

-- name: order_lines
-- The lines of an order.
-- :account, :order_id
select orderline_id, sku, product, quantity, price, currency, state, orderline_fee, imei, serial_number, gone_at
from backmarket.order_lines
where account = %(account)s and order_id = %(order_id)s
order by orderline_id;

-- name: order_map
-- The seller's SKUs that feed the listings of an order, as texts.
-- :account, :order_id
select line.sku as listing_sku, string_agg(distinct map.sku::text, ', ') as skus
from backmarket.order_lines as line
inner join seller.sku_map as map
    on line.account = map.account::text and backmarket.sku_key(line.sku) = backmarket.sku_key(map.listing_sku::text)
where
    line.account = %(account)s and line.order_id = %(order_id)s
group by line.sku;

-- name: order_messages
-- Who wrote what kind of message when in care folders of an order; never the words, nor what was attached.
-- :account, :order_id
select
    message.date_creation as at,
    'care' as source,
    message.sender,
    message.kind,
    concat_ws(
        ' · ',
        'care folder ' || message.care_folder_id,
        case when message.is_informative then 'for information' end,
        case cardinality(message.attachments)
            when 0 then null
            when 1 then '1 attachment'
            else cardinality(message.attachments) || ' attachments'
        end
    ) as detail
from backmarket.care_folders as folder
inner join backmarket.care_messages as message
    on folder.account = message.account and folder.care_folder_id = message.care_folder_id
where
    folder.account = %(account)s and folder.order_id = %(order_id)s and message.date_creation is not null;

-- name: order_parcels
-- Parcels of Back Market's own shipping that belong to an order: to the customer, and back.
-- :account, :order_id
select
    event.at,
    'parcel' as source,
    event.what,
    concat_ws(' · ', parcel.carrier_name, parcel.tracking_number) as detail,
    event.url
from (
    select
        order_id, carrier_name, tracking_number, label_url, date_creation, date_pickup, date_delivery,
        'Backship label made' as made, 'picked up by the carrier' as picked_up, 'delivered to the customer' as delivered
    from backmarket.deliveries
    where account = %(account)s and order_id = %(order_id)s
    union all
    select
        order_id, carrier_name, tracking_number, label_url, date_creation, date_pickup, date_delivery,
        'return announced', 'return picked up', 'return reached you'
    from backmarket.returns
    where account = %(account)s and order_id = %(order_id)s
) as parcel
cross join lateral (
    values
    (parcel.date_creation, parcel.made, parcel.label_url),
    (parcel.date_pickup, parcel.picked_up, null),
    (parcel.date_delivery, parcel.delivered, null)
) as event (at, what, url)
where event.at is not null;

-- name: order_quarantine
-- Documents of an order, and rows of the seller that name it, that could not be understood.
-- :account, :order_id
select
    last_seen_at as at,
    case when entity = 'order' then 'document' else 'seller' end as source,
    'not understood' as what,
    case when entity = 'order' then reason else concat(entity, ' · ', reason) end as detail
from backmarket.quarantine
where
    account = %(account)s
    and (
        (entity = 'order' and key = %(order_id)s::bigint::text)
        -- Rows that share a name are numbered: 7, 7 (2).
        or (
            entity in ('seller.shipments', 'seller.devices', 'seller.refunds')
            and split_part(key, ' (', 1) = %(order_id)s::bigint::text
        )
    );

-- name: order_refunds
-- Every refund and invoice sent, or meant to be sent, for an order.
-- :account, :order_id
select
    coalesce(change.confirmed_at, change.sent_at, change.planned_at) as at,
    'change' as source,
    concat(
        change.kind,
        ' ',
        case
            when change.status = 'awaiting_approval' then 'waits for a person'
            when change.status = 'refused' and change.attempts = 0 and change.reason like 'declined by %%' then 'declined'
            else replace(change.status, '_', ' ')
        end
    ) as what,
    concat_ws(
        ' · ',
        case when change.kind = 'refund' and change.subject <> %(order_id)s::bigint::text then 'line ' || change.subject end,
        case
            when change.payload ? 'amount'
                then concat(
                    replace(change.payload ->> 'refund', '_', ' '), ' of ', change.payload ->> 'amount', ' ',
                    change.payload ->> 'currency'
                )
        end,
        change.reason,
        case when change.attempts > 1 then change.attempts || ' attempts' end
    ) as detail
from backmarket.changes as change
where
    change.account = %(account)s
    and (
        (change.kind = 'refund' and (change.payload ->> 'order_id')::bigint = %(order_id)s)
        or (change.kind = 'invoice' and change.subject = %(order_id)s::bigint::text)
    );

-- name: order_settlement
-- The lines of statements that belong to an order.
-- :account, :order_id
select
    value_date::timestamp at time zone 'UTC' as at,
    true as is_day,
    'settlement' as source,
    concat(replace(invoice_key, '_', ' '), case when vanished then ' (gone from the newest export)' end) as what,
    concat_ws(' · ', amount || ' ' || currency, designation, 'statement ' || invoice_ref) as detail
from backmarket.settlement_lines
where account = %(account)s and order_id = %(order_id)s;

-- name: order_shipments
-- What the seller's own systems say of an order's parcel; the time as text, as it may be none.
-- :account, :order_id
select
    shipped_at::text as at,
    'seller' as source,
    'handed to the carrier' as what,
    concat_ws(' · ', shipper::text, tracking_number::text) as detail
from seller.shipments
where
    account::text = %(account)s
    and regexp_replace(btrim(order_id::text, E' \t\r\n'), '\.0+$', '') = %(order_id)s::text
    and shipped_at is not null;

-- name: worked_off
-- What people did about things: the last word on each. For a change that was tried again and a price or refund
-- that was decided, how the newest change of the same subject stands.
-- :account, :needs (those all of whose things may be seen), :kinds
select
    done.mark_id,
    done.need,
    done.mark,
    done.story,
    done.subject,
    done.detail,
    done.comment,
    done.run_path,
    done.marked_by,
    done.marked_at,
    done.topic,
    done.kind,
    newest.status,
    newest.reason
from (
    select distinct on (need, topic)
        mark_id, need, topic, mark, story, subject, detail, comment, run_path, marked_by, marked_at,
        case
            when need in ('refused', 'stuck') then split_part(topic, '/', 1)
            when need = 'approvals' then 'price'
            when need in ('refund_approvals', 'refunds_in_doubt') then 'refund'
        end as kind,
        case
            when need in ('refused', 'stuck') then split_part(topic, '/', 2)
            when need = 'approvals' then split_part(topic, '/', 1)
            when need in ('refund_approvals', 'refunds_in_doubt') then ''
        end as market,
        case
            when need in ('refused', 'stuck') then substring(topic from '^[^/]*/[^/]*/(.*)$')
            when need = 'approvals' then substring(topic from '^[^/]*/(.*)$')
            when need in ('refund_approvals', 'refunds_in_doubt') then topic
        end as changed
    from backmarket.need_marks
    where account = %(account)s
    order by need asc, topic asc, mark_id desc
) as done
left join lateral (
    select change.status, change.reason
    from backmarket.changes as change
    where
        done.mark in ('retried', 'approved', 'declined', 'paid_back', 'not_paid_back')
        and change.account = %(account)s and change.kind = done.kind
        and change.subject = done.changed and change.market = done.market
    order by change.change_id desc
    limit 1
) as newest on true
where
    done.mark not in ('commented', 'reopened')
    and case when done.kind is null then done.need = any(%(needs)s) else done.kind = any(%(kinds)s) end;

-- name: select_accounts
-- The accounts that this database holds, and what the last check of each token found.
-- :account
select
    account,
    host,
    platform,
    token_valid,
    checked_at,
    account = %(account)s as chosen,
    -- Through JSON, as a database that no run has brought up to date yet has no such column.
    to_jsonb(accounts) ->> 'conn_id' as conn_id
from backmarket.accounts as accounts
order by account;

-- name: select_changes_of_runs
-- Per kind of change: what one run planned and nobody has sent, by status, and the newest confirmation of any run.
-- :account, :kinds, :run_ids (as long as each other)
select
    runs.kind,
    (
        select max(change.confirmed_at)
        from backmarket.changes as change
        where change.account = %(account)s and change.kind = runs.kind and change.confirmed_at is not null
    ) as confirmed_at,
    (
        select jsonb_object_agg(counted.status, counted.changes)
        from (
            select change.status, count(*) as changes
            from backmarket.changes as change
            where
                change.account = %(account)s and change.kind = runs.kind and change.run_id = runs.run_id
                and (
                    change.status in ('awaiting_approval', 'dry_run')
                    or (change.status = 'refused' and change.attempts = 0)
                )
            group by change.status
        ) as counted
    ) as counts
from unnest(%(kinds)s::text [], %(run_ids)s::text []) as runs (kind, run_id);

-- name: select_findings_of_period
-- Open findings of a period, both ends included, each with what is at stake.
-- :account, :first_day, :last_day
select
    kind, order_id::text as order_id, invoice_ref, day, expected, coalesce(expected_currency, currency) as expected_currency,
    actual, currency, at_stake, detail
from backmarket.settlement_open_findings
where account = %(account)s and day between %(first_day)s and %(last_day)s
order by at_stake desc, kind, order_id;

-- name: select_progress
-- How far loads are that run now; one that was not updated for a minute has been killed.
-- :account
select task, part, thing, done, total, extract(epoch from updated_at - started_at) as seconds
from backmarket.progress
where account = %(account)s and updated_at > now() - interval '1 minute'
order by started_at, part;

-- name: select_rejected_rows
-- The rows of a file of the seller that cannot be used, in their order; or the file itself, where nothing of it can be.
-- :account, :entity
select key, document, reason
from backmarket.quarantine
where account = %(account)s and entity = %(entity)s
order by substring(key from '^row (\d+)')::integer nulls first, key;

-- name: select_settlement_report
-- The report that a run has stored.
-- :account, :run_id
select first_day, last_day, html
from backmarket.settlement_reports
where account = %(account)s and run_id = %(run_id)s;

-- name: select_settlement_reports
-- The newest reports that runs have stored.
-- :account
select run_id, first_day, last_day, created_at
from backmarket.settlement_reports
where account = %(account)s
order by created_at desc
limit 2000;

-- name: select_settlement_span
-- The newest ninety days that statements speak of; no row where none is loaded. A day that has not come, and that no
-- statement covers, is a mistyped one.
-- :account
select greatest(first_day, last_day - 89) as first_day, last_day
from (
    select
        coalesce(min(day) filter (where day <= known.last_day), min(day)) as first_day,
        coalesce(max(day) filter (where day <= known.last_day), min(day)) as last_day
    from backmarket.settlement_day_sums
    cross join (
        select greatest(current_date, max(upper(covers)) - 1) as last_day
        from backmarket.settlement_statements
        where account = %(account)s and line_count > 0
    ) as known
    where account = %(account)s
) as spoken_of
where last_day is not null;

-- name: select_statement_files
-- The statement files that were read last.
-- :account, :most
select regexp_replace(path, '^.*/', '') as name, invoice_ref, line_count, loaded_at
from backmarket.settlement_files
where account = %(account)s
order by loaded_at desc, path
limit %(most)s;

-- name: select_successes
-- When each concern last succeeded and what it counted; of several markets the newest.
-- :account
select distinct on (concern) concern, succeeded_at, counts, watermark
from backmarket.sync_state
where account = %(account)s
order by concern, succeeded_at desc nulls last;

-- name: select_units_since
-- What pyrate-limiter counted lately; its times have no zone and are UTC.
-- :seconds; {table} is the limiter's own
select count(*) as units
from {table}
where item_timestamp >= (now() at time zone 'UTC') - make_interval(secs => %(seconds)s);

-- name: sku_backbox
-- How each market's competition for the BackBox stands for a SKU, and what repricing wants there.
-- :account, :skus
select distinct on (found.market)
    found.market,
    coalesce(box.currency, decided.currency) as currency,
    box.price,
    box.price_to_win,
    box.winner_price,
    box.is_winning,
    box.id is not null and box.gone_at is null as takes_part,
    box.read_at,
    decided.floor,
    decided.ceiling,
    decided.target,
    coalesce(decided.reason, 'repricing is off, or seller.prices has no price for it') as reason
from backmarket.listings as listing
cross join lateral (
    select market from backmarket.backbox where account = listing.account and id = listing.id
    union
    select market from backmarket.repricing where account = listing.account and id = listing.id
) as found
left join backmarket.backbox as box
    on listing.account = box.account and listing.id = box.id and found.market = box.market
left join backmarket.repricing as decided
    on listing.account = decided.account and listing.id = decided.id and found.market = decided.market
where
    listing.account = %(account)s and backmarket.sku_key(listing.sku) = backmarket.sku_key((%(skus)s::text [])[1])
order by found.market asc, listing.gone_at desc nulls first, box.gone_at desc nulls first, box.read_at desc nulls last;

-- name: sku_backbox_history
-- Our price and the winner's in each market's competition for the BackBox, over the last 30 days, of the listing of a SKU
-- that was read last there. Where there are more changes than a picture can show, those at the end of each half day.
-- :account, :skus, :most (changes that are shown one by one)
--
-- The first row is what held when the 30 days began, the last what was read last.
with boxes as (
    select distinct on (box.market)
        box.account, box.id, box.market, box.price, box.winner_price, box.currency, box.read_at, box.gone_at
    from backmarket.listings as listing
    inner join backmarket.backbox as box on listing.account = box.account and listing.id = box.id
    where
        listing.account = %(account)s and backmarket.sku_key(listing.sku) = backmarket.sku_key((%(skus)s::text [])[1])
    order by box.market asc, listing.gone_at desc nulls first, box.gone_at desc nulls first, box.read_at desc
),

changes as (
    select boxes.market, boxes.currency, history.read_at, history.price, history.winner_price, history.takes_part
    from boxes
    inner join backmarket.backbox_history as history
        on boxes.account = history.account and boxes.id = history.id and boxes.market = history.market
    where
        history.read_at >= coalesce(
            (
                select max(older.read_at)
                from backmarket.backbox_history as older
                where
                    older.account = boxes.account and older.id = boxes.id and older.market = boxes.market
                    and older.read_at <= now() - interval '30 days'
            ),
            '-infinity'
        )
),

placed as (
    select
        *,
        count(*) over (partition by market) as changes,
        row_number() over (
            partition by market, date_bin('12 hours', read_at, '2000-01-01 00:00:00+00') order by read_at desc
        ) as newest
    from changes
)

select
    market, currency, price, winner_price, takes_part,
    greatest(read_at, now() - interval '30 days') as at,
    changes > %(most)s as is_thinned
from placed
where changes <= %(most)s or newest = 1
union all
select market, currency, price, winner_price, true, read_at, false
from boxes
where gone_at is null and read_at >= now() - interval '30 days'
order by market, at;

-- name: sku_changes
-- The newest changes sent, or meant to be sent, for a SKU.
-- :account, :skus
select
    coalesce(change.confirmed_at, change.sent_at, change.planned_at) as at,
    'change' as source,
    case
        when
            change.kind = 'price' and change.status = 'refused' and change.attempts = 0
            and (change.reason like 'declined by %%' or change.reason like '%%: a person refused it')
            then 'price declined'
        else concat(change.kind, ' ', change.status)
    end as what,
    concat_ws(
        ' · ',
        nullif(change.market, ''),
        change.payload ->> 'quantity' || ' units',
        (change.payload ->> 'price') || coalesce(' ' || (change.payload ->> 'currency'), ''),
        change.reason,
        case when change.attempts > 1 then change.attempts || ' attempts' end
    ) as detail
from backmarket.changes as change
where
    change.account = %(account)s and change.kind in ('quantity', 'price', 'listing', 'product')
    and change.subject = any(%(skus)s) and change.status <> 'superseded'
order by change.change_id desc
limit 200;

-- name: sku_ended
-- Lines of a SKU, ordered in the last 90 days, that were cancelled or refunded.
-- :account, :skus
select
    count(*) filter (where state = 4) as cancelled,
    count(*) filter (where state in (5, 6)) as refunded
from backmarket.order_lines
where
    account = %(account)s and sku = any(%(skus)s) and date_creation >= now() - interval '90 days'
    and state in (4, 5, 6) and gone_at is null;

-- name: sku_history
-- What offers of a SKU showed, one row a change.
-- :account, :skus
select
    history.changed_at as at,
    'listing' as source,
    'shown by Back Market' as what,
    concat_ws(' · ', history.market, history.quantity || ' units', history.price || ' ' || history.currency) as detail
from backmarket.listings as listing
inner join backmarket.listing_offer_history as history on listing.account = history.account and listing.id = history.id
where listing.account = %(account)s and backmarket.sku_key(listing.sku) = backmarket.sku_key((%(skus)s::text [])[1])
order by history.changed_at desc
limit 200;

-- name: sku_map
-- What the seller's map says of a SKU, be it the seller's or a listing's, as texts; not a row that lacks one of the two.
-- :account, :skus
select map.sku::text as sku, map.listing_sku::text as listing_sku, coalesce(map.units::text, '1') as units
from seller.sku_map as map
where
    map.account::text = %(account)s
    and map.sku is not null
    and map.listing_sku is not null
    and backmarket.sku_key((%(skus)s::text [])[1])
    in (backmarket.sku_key(map.sku::text), backmarket.sku_key(map.listing_sku::text))
order by 1, 2;

-- name: sku_markets
-- How each market shows a SKU, beside what the seller wants there.
-- :account, :skus
with shown as (
    select distinct on (offer.market)
        offer.market, listing.title, listing.quantity, offer.price, offer.currency, offer.publication_state
    from backmarket.listings as listing
    inner join backmarket.listing_offers as offer on listing.account = offer.account and listing.id = offer.id
    where
        listing.account = %(account)s and backmarket.sku_key(listing.sku) = backmarket.sku_key((%(skus)s::text [])[1])
        and listing.gone_at is null and offer.gone_at is null
    order by offer.market asc, offer.read_at desc
),

wanted as (
    -- As texts, shown as the seller wrote them.
    select distinct on (1)
        backmarket.market_key(market::text) as market, price::text as price, currency::text as currency, min_price::text as min_price
    from seller.prices as price
    where
        price.account::text = %(account)s
        and (
            backmarket.sku_key(price.sku::text) = backmarket.sku_key((%(skus)s::text [])[1])
            or backmarket.sku_key(price.sku::text) in (
                select backmarket.sku_key(map.sku::text)
                from seller.sku_map as map
                where
                    map.account::text = %(account)s
                    and backmarket.sku_key(map.listing_sku::text) = backmarket.sku_key((%(skus)s::text [])[1])
                    and coalesce(btrim(map.units::text), '1') in ('1', '')
            )
        )
    order by 1
)

select
    coalesce(shown.market, wanted.market) as market,
    shown.title,
    shown.quantity,
    shown.price,
    shown.currency,
    shown.publication_state,
    wanted.price as wanted,
    wanted.currency as wanted_currency,
    wanted.min_price
from shown
full join wanted on shown.market = wanted.market
order by market;

-- name: sku_plan
-- The arithmetic of the newest plan.
-- :account, :skus
select
    stock, reserved, held, safety_qty, max_qty, sellable, shown, wanted, reason, planned_at,
    -- Through JSON, as a database that no run has brought up to date yet has no such column.
    to_jsonb(inventory) -> 'fed_by' as fed_by
from backmarket.inventory as inventory
where account = %(account)s and sku = any(%(skus)s)
order by planned_at desc
limit 1;

-- name: sku_sales
-- The newest order lines of a SKU.
-- :account, :skus
select
    line.date_creation as at,
    'sold' as source,
    concat(line.quantity, ' sold') as what,
    concat_ws(
        ' · ',
        line.price || ' ' || line.currency,
        (select country_code from backmarket.orders where account = %(account)s and order_id = line.order_id)
    ) as detail,
    line.order_id,
    line.state
from unnest(%(skus)s::text []) as spelled (sku)
-- One spelling at a time, as an index has them by day: else those of a SKU that is seldom sold are looked for among all.
cross join lateral (
    select order_id, date_creation, quantity, price, currency, state
    from backmarket.order_lines
    where account = %(account)s and sku = spelled.sku and date_creation is not null
    order by date_creation desc
    limit 200
) as line
order by line.date_creation desc
limit 200;

-- name: sku_sent
-- The quantity of a SKU that Back Market confirmed last.
-- :account, :skus
select payload ->> 'quantity' as quantity, confirmed_at
from backmarket.changes
where account = %(account)s and kind = 'quantity' and subject = any(%(skus)s) and status = 'confirmed'
order by change_id desc
limit 1;

-- name: sku_sold
-- Units of a SKU ordered in the last 30 days, without what was never paid or was cancelled.
-- :account, :skus
select coalesce(sum(quantity), 0) as units
from backmarket.order_lines
where
    account = %(account)s and sku = any(%(skus)s) and date_creation >= now() - interval '30 days'
    and state not in (4, 7) and gone_at is null;

-- name: sku_spellings
-- How a SKU is spelled here: listings and stock match in any case of letters.
-- :account, :sku
select sku
from backmarket.listings
where account = %(account)s and backmarket.sku_key(sku) = backmarket.sku_key(%(sku)s)
group by sku;

-- name: sku_stock
-- What the seller's own systems say of a SKU, as texts: each row is judged by itself.
-- :account, :skus
select sku, quantity, counted_at, safety_qty, max_qty, orders_known_until, warehouse
from backmarket.stock_rows(%(account)s)
where backmarket.sku_key(sku) = backmarket.sku_key((%(skus)s::text [])[1])
order by warehouse nulls first;

-- name: sum_settlements
-- What the statements of the last 30 days pay out, net, by currency.
-- :account
select currency, sum(amount) as net
from backmarket.settlement_day_sums
where
    account = %(account)s
    and day >= (now() at time zone 'UTC')::date - 30
    and category not in ('cash_flow', 'unknown')
group by currency
order by currency;
