-- A person's decision about a move, or that none came in time.
-- :account, :run_id, :sku, :market, :status, :decided_by
update backmarket.price_approvals
set status = %(status)s, decided_at = clock_timestamp(), decided_by = %(decided_by)s
where
    account = %(account)s and run_id = %(run_id)s and status = 'asked'
    and sku = %(sku)s and market = %(market)s
