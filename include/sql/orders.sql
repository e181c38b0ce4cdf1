-- name: clear_staging
-- Forget what was staged, once it is merged.
truncate staged_orders, staged_order_lines, staged_order_addresses;

-- name: copy_order_addresses
-- One row per address of a downloaded order document.
copy staged_order_addresses (
    read_no, order_id, kind, first_name, last_name, first_name_pronunciation, last_name_pronunciation,
    company, street, street2, postal_code, city, state, country, phone, email, customer_id_number
) from stdin (null '');

-- name: copy_order_lines
-- One row per line of a downloaded order document.
copy staged_order_lines (
    read_no, order_id, orderline_id, sku, listing_id, quantity, price, shipping_price, currency, state,
    orderline_fee, sales_taxes, return_reason, return_message, imei, serial_number, product, product_id,
    brand, condition, backcare, backcare_price_cents, date_creation
) from stdin (null '');

-- name: copy_orders
-- One row per downloaded order document.
copy staged_orders (
    read_no, read_at, order_id, state, country_code, currency, price, shipping_price, sales_taxes,
    payment_method, tracking_number, tracking_url, shipper, is_backship, delivery_note,
    date_creation, date_modification, date_payment, date_shipping, expected_dispatch_date, document
) from stdin (null '');

-- name: delete_found_again
-- Forget the orders that have turned up and are not gone again, and those that the seller's tables name no more.
-- :account, :named
delete from backmarket.orders_not_found as asked
where
    asked.account = %(account)s
    and (
        not asked.order_id = any(%(named)s::bigint [])
        or exists (
            select 1 from backmarket.orders as known
            where known.account = asked.account and known.order_id = asked.order_id and known.gone_at is null
        )
    );

-- name: delete_old_history_reads
-- Forget the readings that no run goes by any more.
-- :account, :before
delete from backmarket.order_history_reads
where account = %(account)s and began_at < %(before)s;

-- name: insert_history_read
-- Note that a backfill's run has read a span of the past to its end.
-- :account, :run_id, :clear_number, :created_from, :created_to, :began_at
insert into backmarket.order_history_reads (account, run_id, clear_number, created_from, created_to, began_at)
values (%(account)s, %(run_id)s, %(clear_number)s, %(created_from)s, %(created_to)s, %(began_at)s);

-- name: lock_history
-- Wait until no other run of a backfill reads the past of this account; the lock ends with the session.
-- :account
select pg_advisory_lock(hashtextextended(concat_ws('/', 'order_history', %(account)s::text), 0));

-- name: mark_gone
-- An open order that Back Market answers 404 for: it was most likely never paid (state 8 is served to no one).
-- :account, :order_ids
update backmarket.orders
set gone_at = now()
where account = %(account)s and order_id = any(%(order_ids)s) and gone_at is null;

-- name: purge_addresses
-- Forget the addresses of orders that nothing has happened to for so many days; open orders keep theirs.
-- A date_modification that lies in the future, as it cannot, must not keep them for ever.
-- :account, :days
delete from backmarket.order_addresses as address
using backmarket.orders as purged
where
    purged.account = %(account)s
    and address.account = purged.account
    and address.order_id = purged.order_id
    and least(purged.date_modification, purged.read_at) < now() - make_interval(days => %(days)s)
    and (purged.state not in (10, 1, 3) or purged.gone_at is not null);

-- name: select_asked_in_vain
-- Orders that Back Market did not have when it was asked, how often it was, first and last.
-- :account
select order_id, attempts, first_asked_at, asked_at
from backmarket.orders_not_found
where account = %(account)s;

-- name: select_history_reads
-- What backfills have read of the past since a moment, the newest reading first.
-- :account, :since
select run_id, clear_number, created_from, created_to, began_at
from backmarket.order_history_reads
where account = %(account)s and began_at >= %(since)s
order by began_at desc;

-- name: select_not_staged
-- Those of some orders that are not in staged_orders, in the order in which they are given.
-- :order_ids
select given.order_id
from unnest(%(order_ids)s::bigint []) with ordinality as given (order_id, place)
where not exists (select 1 from staged_orders as staged where staged.order_id = given.order_id)
order by given.place;

-- name: select_open_orders
-- Orders that are open here (10 payment pending, 1 to accept, 3 to ship), oldest first.
-- :account
select order_id
from backmarket.orders
where account = %(account)s and state in (10, 1, 3) and gone_at is null
order by date_creation, order_id;

-- name: stage_order_addresses
-- The addresses of staged_orders, tied to the very reading (read_no) they came with.
create temporary table staged_order_addresses (
    read_no bigint not null,
    order_id bigint not null,
    kind text not null,
    first_name text,
    last_name text,
    first_name_pronunciation text,
    last_name_pronunciation text,
    company text,
    street text,
    street2 text,
    postal_code text,
    city text,
    state text,
    country text,
    phone text,
    email text,
    customer_id_number text
);

-- name: stage_order_lines
-- The lines of staged_orders, tied to the very reading (read_no) they came with.
create temporary table staged_order_lines (
    read_no bigint not null,
    order_id bigint not null,
    orderline_id bigint not null,
    sku text,
    listing_id bigint,
    quantity integer not null,
    price numeric,
    shipping_price numeric,
    currency text,
    state integer not null,
    orderline_fee numeric,
    sales_taxes numeric,
    return_reason integer,
    return_message text,
    imei text,
    serial_number text,
    product text,
    product_id bigint,
    brand text,
    condition integer,
    backcare boolean,
    backcare_price_cents bigint,
    date_creation timestamptz
);

-- name: stage_orders
-- Where downloaded pages wait until all have arrived; gone with the session, so a crash leaves nothing behind.
create temporary table staged_orders (
    read_no bigint not null,
    read_at timestamptz not null,
    order_id bigint not null,
    state integer not null,
    country_code text,
    currency text,
    price numeric,
    shipping_price numeric,
    sales_taxes numeric,
    payment_method text,
    tracking_number text,
    tracking_url text,
    shipper text,
    is_backship boolean,
    delivery_note text,
    date_creation timestamptz,
    date_modification timestamptz,
    date_payment timestamptz,
    date_shipping timestamptz,
    expected_dispatch_date timestamptz,
    document jsonb not null
);

-- name: upsert_asked_in_vain
-- Back Market was asked for an order and has none.
-- :account, :order_ids
insert into backmarket.orders_not_found as known (account, order_id)
select %(account)s, order_id from unnest(%(order_ids)s::bigint []) as asked (order_id)
on conflict (account, order_id) do update set
    attempts = known.attempts + 1,
    asked_at = now();
