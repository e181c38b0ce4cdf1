-- A person is asked about a move; again, where what was decided about it holds no more.
-- :account, :sku, :market, :old_price, :new_price, :currency, :reason, :run_id
insert into backmarket.price_approvals (
    account, sku, market, old_price, new_price, currency, reason, status, run_id
)
values (
    %(account)s, %(sku)s, %(market)s, %(old_price)s, %(new_price)s, %(currency)s, %(reason)s, 'asked', %(run_id)s
)
on conflict (account, sku, market, old_price, new_price) do update set
    currency = excluded.currency,
    reason = excluded.reason,
    status = excluded.status,
    run_id = excluded.run_id,
    asked_at = now(),
    decided_at = null,
    decided_by = null
