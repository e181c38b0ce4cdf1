-- A person is asked about a move.
-- :account, :sku, :market, :old_price, :new_price, :currency, :reason, :run_id
insert into backmarket.price_approvals (
    account, sku, market, old_price, new_price, currency, reason, status, run_id
)
values (
    %(account)s, %(sku)s, %(market)s, %(old_price)s, %(new_price)s, %(currency)s, %(reason)s, 'asked', %(run_id)s
)
