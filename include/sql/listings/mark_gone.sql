-- After a complete read of one market: its offers that the read did not hold are gone, and so are listings of which
-- no market that is read has an offer left. Answers how many offers went.
-- :account, :market, :markets, :seen, :since
--
-- What was stored after the read began (a listing created meanwhile) is not judged.
with gone_offers as (
    update backmarket.listing_offers as offer
    set gone_at = %(since)s
    where
        offer.account = %(account)s
        and offer.market = %(market)s
        and offer.gone_at is null
        and offer.read_at < %(since)s
        and not exists (select 1 from unnest(%(seen)s::uuid []) as seen (id) where seen.id = offer.id)
    returning offer.id, offer.market, offer.currency
),

ended as (
    insert into backmarket.listing_offer_history (account, id, market, changed_at, currency, gone)
    select %(account)s, id, market, %(since)s, currency, true
    from gone_offers
    on conflict (account, id, market, changed_at) do update set
        price = null,
        quantity = null,
        publication_state = null,
        gone = true
    returning id
),

gone_listings as (
    update backmarket.listings as listing
    set gone_at = %(since)s
    from gone_offers
    where
        listing.account = %(account)s
        and listing.id = gone_offers.id
        and not exists (
            select 1
            from backmarket.listing_offers as other
            where
                other.account = %(account)s
                and other.id = listing.id
                and other.market = any(%(markets)s)
                and other.market <> %(market)s
                and other.gone_at is null
        )
    returning listing.id
)

select count(*) from gone_offers;
