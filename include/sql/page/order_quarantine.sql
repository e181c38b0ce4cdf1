-- Documents of an order that could not be understood.
-- :account, :order_id
select last_seen_at as at, 'document' as source, 'not understood' as what, reason as detail
from backmarket.quarantine
where account = %(account)s and entity = 'order' and key = %(order_id)s::bigint::text
