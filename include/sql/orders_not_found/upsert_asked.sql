-- Back Market was asked for an order and has none.
-- :account, :order_ids
insert into backmarket.orders_not_found as known (account, order_id)
select %(account)s, order_id from unnest(%(order_ids)s::bigint []) as asked (order_id)
on conflict (account, order_id) do update set
    attempts = known.attempts + 1,
    asked_at = now()
