-- An order that is understood now leaves the quarantine.
-- :account
delete from backmarket.quarantine
where
    account = %(account)s
    and entity = 'order'
    and key in (select order_id::text from staged_orders)
