-- Some of the newest orders and listings stored here, by which a token shows whose it is.
-- :account, :most
(
    select 'order' as what, order_id::text as key
    from backmarket.orders
    where account = %(account)s and gone_at is null
    order by coalesce(date_modification, read_at) desc
    limit %(most)s
)
union all
(
    select 'listing' as what, id::text as key
    from backmarket.listings
    where account = %(account)s and gone_at is null
    order by read_at desc
    limit %(most)s
)
