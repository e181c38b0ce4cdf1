-- name: claim_account
-- Write down which Back Market account this name stands for; a renewed token replaces the old fingerprint, and what a
-- check found of the old one says nothing of it.
-- :account, :conn_id, :host, :token_fingerprint
insert into backmarket.accounts as stored (account, conn_id, host, token_fingerprint)
values (%(account)s, %(conn_id)s, %(host)s, %(token_fingerprint)s)
on conflict (account) do update set
    conn_id = excluded.conn_id,
    host = excluded.host,
    token_fingerprint = excluded.token_fingerprint,
    token_valid = case when stored.token_fingerprint = excluded.token_fingerprint then stored.token_valid end,
    checked_at = case when stored.token_fingerprint = excluded.token_fingerprint then stored.checked_at end,
    check_details = case when stored.token_fingerprint = excluded.token_fingerprint then stored.check_details end
where
    (stored.conn_id, stored.host, stored.token_fingerprint)
    is distinct from (excluded.conn_id, excluded.host, excluded.token_fingerprint);

-- name: select_names
-- The accounts that are run in this database.
select account from backmarket.accounts order by account;

-- name: record_check
-- What the last validation of the token found.
-- :account, :platform, :token_valid, :details
update backmarket.accounts
set platform = %(platform)s, token_valid = %(token_valid)s, checked_at = now(), check_details = %(details)s
where account = %(account)s;

-- name: select_claims
-- Who stands for what: the row of this name, and any other name for the same host and token.
-- :account, :host, :token_fingerprint
select account, conn_id, host, token_fingerprint
from backmarket.accounts
where
    account = %(account)s
    or (host = %(host)s and token_fingerprint = %(token_fingerprint)s);

-- name: select_known_things
-- Some of the newest orders and listings stored here, by which a token shows whose it is.
-- :account, :most
(
    select 'order' as what, order_id::text as key
    from backmarket.orders
    where account = %(account)s and gone_at is null
    order by coalesce(date_modification, read_at) desc
    limit %(most)s
)
union all
(
    select 'listing' as what, id::text as key
    from backmarket.listings
    where account = %(account)s and gone_at is null
    order by read_at desc
    limit %(most)s
);
