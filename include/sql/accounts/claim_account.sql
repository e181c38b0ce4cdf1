-- Write down which Back Market account this name stands for; a renewed token replaces the old fingerprint.
-- :account, :host, :token_fingerprint
insert into backmarket.accounts as stored (account, host, token_fingerprint)
values (%(account)s, %(host)s, %(token_fingerprint)s)
on conflict (account) do update set
    host = excluded.host,
    token_fingerprint = excluded.token_fingerprint
where (stored.host, stored.token_fingerprint) is distinct from (excluded.host, excluded.token_fingerprint)
