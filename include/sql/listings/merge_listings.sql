-- Merge staged readings into listings, offers and their history in one statement; answers how many offers are new,
-- changed and unchanged.
-- :account
--
-- A reading never overwrites a later one, and a market only ever overwrites its own offers.
with latest as (
    select distinct on (id, market) *
    from staged_listings
    order by id asc, market asc, read_at desc, read_no desc
),

-- What all markets share comes from whichever market was read last.
latest_of_all as (
    select distinct on (id) *
    from latest
    order by id asc, read_at desc, read_no desc
),

merged_listings as (
    insert into backmarket.listings as stored (
        account, id, listing_id, sku, product_id, backmarket_id, title, title_market, grade, state, quantity,
        warranty_delay, new_battery, first_seen_at, read_at
    )
    select
        %(account)s, id, listing_id, sku, product_id, backmarket_id, title, market, grade, state, quantity,
        warranty_delay, new_battery, read_at, read_at
    from latest_of_all
    order by id
    on conflict (account, id) do update set
        listing_id = excluded.listing_id,
        sku = excluded.sku,
        product_id = excluded.product_id,
        backmarket_id = excluded.backmarket_id,
        title = case
            when excluded.title_market = stored.title_market then excluded.title
            else coalesce(stored.title, excluded.title)
        end,
        grade = excluded.grade,
        state = excluded.state,
        quantity = excluded.quantity,
        warranty_delay = excluded.warranty_delay,
        new_battery = excluded.new_battery,
        read_at = excluded.read_at,
        gone_at = null
    where excluded.read_at >= stored.read_at
    returning stored.id
),

verdicts as (
    select
        latest.*,
        stored.id is null as is_new,
        stored.document is distinct from latest.document or stored.gone_at is not null as is_changed
    from latest
    left join backmarket.listing_offers as stored
        on stored.account = %(account)s and latest.id = stored.id and latest.market = stored.market
    where stored.id is null or latest.read_at >= stored.read_at
),

merged_offers as (
    insert into backmarket.listing_offers as stored (
        account, id, market, title, price, currency, min_price, max_price, publication_state, comment, document,
        first_seen_at, read_at
    )
    select
        %(account)s, id, market, title, price, currency, min_price, max_price, publication_state, comment, document,
        read_at, read_at
    from verdicts
    order by id, market
    on conflict (account, id, market) do update set
        title = excluded.title,
        price = excluded.price,
        currency = excluded.currency,
        min_price = excluded.min_price,
        max_price = excluded.max_price,
        publication_state = excluded.publication_state,
        comment = excluded.comment,
        document = excluded.document,
        read_at = excluded.read_at,
        gone_at = null
    returning stored.id
),

changes_of_offers as (
    insert into backmarket.listing_offer_history as stored (
        account, id, market, changed_at, price, currency, quantity, publication_state
    )
    select
        %(account)s, verdict.id, verdict.market, verdict.read_at, verdict.price, verdict.currency, verdict.quantity,
        verdict.publication_state
    from verdicts as verdict
    left join lateral (
        select history.price, history.currency, history.quantity, history.publication_state, history.gone
        from backmarket.listing_offer_history as history
        where
            history.account = %(account)s and history.id = verdict.id and history.market = verdict.market
        order by history.changed_at desc
        limit 1
    ) as newest on true
    where
        (newest.price, newest.currency, newest.quantity, newest.publication_state, newest.gone)
        is distinct from (verdict.price, verdict.currency, verdict.quantity, verdict.publication_state, false)
    on conflict (account, id, market, changed_at) do update set
        price = excluded.price,
        currency = excluded.currency,
        quantity = excluded.quantity,
        publication_state = excluded.publication_state,
        gone = false
    returning stored.id
)

select
    count(*) filter (where is_new) as new,
    count(*) filter (where is_changed and not is_new) as changed,
    (select count(*) from latest) - count(*) filter (where is_changed) as unchanged
from verdicts;
