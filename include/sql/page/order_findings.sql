-- Differences found between an order and statements.
-- :account, :order_id
select
    coalesce(closed_at, opened_at) as at,
    'finding' as source,
    concat(replace(kind, '_', ' '), ' ', status) as what,
    detail
from backmarket.settlement_findings
where account = %(account)s and order_id = %(order_id)s
