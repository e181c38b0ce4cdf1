-- Forget the addresses of orders that nothing has happened to for so many days; open orders keep theirs.
-- :account, :days
delete from backmarket.order_addresses as address
using backmarket.orders as purged
where
    purged.account = %(account)s
    and address.account = purged.account
    and address.order_id = purged.order_id
    and coalesce(purged.date_modification, purged.read_at) < now() - make_interval(days => %(days)s)
    and (purged.state not in (10, 1, 3) or purged.gone_at is not null)
