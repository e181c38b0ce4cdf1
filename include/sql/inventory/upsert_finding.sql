-- Keep what was found; seen again, it keeps the moment of its first time.
-- :account, :kind, :sku, :market, :detail
insert into backmarket.inventory_findings (account, kind, sku, market, detail)
values (%(account)s, %(kind)s, %(sku)s, %(market)s, %(detail)s)
on conflict (account, kind, sku, market) do update set
    detail = excluded.detail,
    last_seen_at = now()
