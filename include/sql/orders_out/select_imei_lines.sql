-- Lines, sold and not taken back, that have one of these IMEIs.
-- :account, :imeis, :states
select imei, orderline_id
from backmarket.order_lines
where account = %(account)s and imei = any(%(imeis)s) and state = any(%(states)s) and gone_at is null
