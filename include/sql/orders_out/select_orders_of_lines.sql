-- The orders of some lines.
-- :account, :orderline_ids
select orderline_id, order_id
from backmarket.order_lines
where account = %(account)s and orderline_id = any(%(orderline_ids)s) and gone_at is null
