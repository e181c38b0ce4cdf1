-- What this run found of a row of seller.catalog.
-- :account, :sku, :kind, :market, :verdict, :reasons
insert into backmarket.catalog_checks (account, sku, kind, market, verdict, reasons)
values (%(account)s, %(sku)s, %(kind)s, %(market)s, %(verdict)s, %(reasons)s)
on conflict (account, sku) do update set
    kind = excluded.kind,
    market = excluded.market,
    verdict = excluded.verdict,
    reasons = excluded.reasons,
    checked_at = excluded.checked_at
