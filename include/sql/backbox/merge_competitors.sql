-- Store where one listing stands by one answer; answers how many markets are new, changed, unchanged and gone.
-- :account, :id, :read_at; :markets, :prices, :min_prices, :prices_to_win, :winner_prices, :currencies, :winning and
-- :documents, as long as each other; :standing: the markets that are not gone, those that could not be read among them;
-- :is_whole: whether it is known of all markets that the answer names which they are
--
-- History has what changed of that by which prices are set, and whether the listing takes part. The newest reading
-- stands: one that is older than what is stored changes nothing.
with given as (
    select *
    from unnest(
        %(markets)s::text [], %(prices)s::numeric [], %(min_prices)s::numeric [], %(prices_to_win)s::numeric [],
        %(winner_prices)s::numeric [], %(currencies)s::text [], %(winning)s::boolean [], %(documents)s::jsonb []
    ) as given (market, price, min_price, price_to_win, winner_price, currency, is_winning, document)
),

known as (
    select *
    from backmarket.backbox
    where account = %(account)s and id = %(id)s
),

merged as (
    insert into backmarket.backbox as stored (
        account, id, market, price, min_price, price_to_win, winner_price, currency, is_winning, document, read_at
    )
    select
        %(account)s, %(id)s, market, price, min_price, price_to_win, winner_price, currency, is_winning, document,
        %(read_at)s
    from given
    on conflict (account, id, market) do update set
        price = excluded.price,
        min_price = excluded.min_price,
        price_to_win = excluded.price_to_win,
        winner_price = excluded.winner_price,
        currency = excluded.currency,
        is_winning = excluded.is_winning,
        document = excluded.document,
        read_at = excluded.read_at,
        gone_at = null
    where greatest(stored.read_at, stored.gone_at) <= excluded.read_at
    returning
        stored.market, stored.price, stored.price_to_win, stored.winner_price, stored.currency, stored.is_winning
),

judged as (
    select
        merged.*,
        known.market is null as is_new,
        known.market is null
        or known.gone_at is not null
        or (known.price, known.price_to_win, known.winner_price, known.currency, known.is_winning)
        is distinct from (merged.price, merged.price_to_win, merged.winner_price, merged.currency, merged.is_winning)
            as is_changed
    from merged
    left join known on merged.market = known.market
),

gone as (
    update backmarket.backbox
    set gone_at = %(read_at)s
    where
        account = %(account)s and id = %(id)s and gone_at is null and read_at <= %(read_at)s
        and market <> all(%(standing)s::text []) and %(is_whole)s
    returning market, currency
),

noted as (
    insert into backmarket.backbox_history (
        account, id, market, read_at, price, price_to_win, winner_price, currency, is_winning, takes_part
    )
    select
        %(account)s, %(id)s, market, %(read_at)s, price, price_to_win, winner_price, currency, is_winning, true
    from judged
    where is_changed
    union all
    select %(account)s, %(id)s, market, %(read_at)s, null, null, null, currency, false, false
    from gone
    on conflict (account, id, market, read_at) do nothing
)

select
    count(*) filter (where is_new),
    count(*) filter (where is_changed and not is_new),
    count(*) filter (where not is_changed),
    (select count(*) from gone)
from judged;
