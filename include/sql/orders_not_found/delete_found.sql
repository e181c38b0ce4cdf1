-- Forget the orders that have turned up and are not gone again, and those that the seller's tables name no more.
-- :account, :named
delete from backmarket.orders_not_found as asked
where
    asked.account = %(account)s
    and (
        not asked.order_id = any(%(named)s::bigint [])
        or exists (
            select 1 from backmarket.orders as known
            where known.account = asked.account and known.order_id = asked.order_id and known.gone_at is null
        )
    )
