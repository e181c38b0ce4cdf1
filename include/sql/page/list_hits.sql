-- Orders and SKUs that a text is a part of, each once, with what of it that is; the newest of each kind up to a limit.
-- :account, :wanted, :orders, :skus (whether each may be seen), :each
--
-- What is looked through stands in indexes: only what is found is read. Addresses are never searched.
with recursive sold as (
    -- Each SKU once, by one step in the index.
    (
        select sku
        from backmarket.order_lines
        where account = %(account)s and %(skus)s
        order by sku
        limit 1
    )
    union all
    select
        (
            select line.sku
            from backmarket.order_lines as line
            where line.account = %(account)s and line.sku > sold.sku
            order by line.sku
            limit 1
        )
    from sold
    where sold.sku is not null
),

skus as (
    select sku from sold
    union
    select sku from backmarket.listings where account = %(account)s and %(skus)s
    union
    select sku from backmarket.stock_rows(%(account)s) where %(skus)s
    union
    select unnest(array[sku::text, listing_sku::text]) from seller.sku_map where account::text = %(account)s and %(skus)s
),

order_numbers as (
    (
        select order_id
        from backmarket.orders
        where
            account = %(account)s and %(orders)s and %(wanted)s ~ '^\d+$'
            and position(%(wanted)s in order_id::text) > 0
        order by order_id desc
        limit %(each)s
    )
    union
    -- However many others it is a part of.
    select order_id
    from backmarket.orders
    where
        account = %(account)s and %(orders)s
        and order_id = case when %(wanted)s ~ '^\d{1,18}$' then %(wanted)s::bigint end
),

tracking_numbers as (
    select distinct tracking_number
    from backmarket.orders
    where
        account = %(account)s and %(orders)s and tracking_number is not null
        and position(upper(%(wanted)s) in upper(tracking_number collate "C")) > 0
    limit %(each)s
),

imeis as (
    select distinct imei
    from backmarket.order_lines
    where
        account = %(account)s and %(orders)s and %(wanted)s ~ '^\d+$' and imei is not null
        and position(%(wanted)s in imei) > 0
    limit %(each)s
),

serial_numbers as (
    select distinct serial_number
    from backmarket.order_lines
    where
        account = %(account)s and %(orders)s and serial_number is not null
        and position(upper(%(wanted)s) in upper(serial_number collate "C")) > 0
    limit %(each)s
),

hits as (
    (
        select 'sku' as story, 'SKU' as kind, min(sku) as subject, min(sku) as matched
        from skus
        where position(backmarket.sku_key(%(wanted)s) in backmarket.sku_key(sku)) > 0
        group by backmarket.sku_key(sku)
        order by backmarket.sku_key(sku) = backmarket.sku_key(%(wanted)s) desc, 3
        limit %(each)s
    )
    union all
    select 'order', 'order number', order_id::text, order_id::text from order_numbers
    union all
    select 'order', 'tracking number', orders.order_id::text, orders.tracking_number
    from tracking_numbers
    inner join backmarket.orders as orders
        on orders.account = %(account)s and tracking_numbers.tracking_number = orders.tracking_number
    union all
    select 'order', 'IMEI', line.order_id::text, line.imei
    from imeis
    inner join backmarket.order_lines as line on line.account = %(account)s and imeis.imei = line.imei
    union all
    select 'order', 'serial number', line.order_id::text, line.serial_number
    from serial_numbers
    inner join backmarket.order_lines as line
        on line.account = %(account)s and serial_numbers.serial_number = line.serial_number
),

found as (
    select
        story,
        subject,
        min(kind) as kind,
        string_agg(distinct concat(kind, ' ', matched), ', ') as matched,
        min(case when lower(matched) = lower(%(wanted)s) then 0 else 1 end) as distance
    from hits
    group by story, subject
)

select
    found.story,
    found.subject,
    found.kind,
    coalesce(orders.country_code, '') as market,
    found.matched as detail,
    found.distance,
    orders.price as amount,
    orders.currency,
    orders.date_creation as since,
    concat_ws('/', found.story, found.subject) as topic
from found
left join backmarket.orders as orders
    on
        found.story = 'order' and orders.account = %(account)s
        and orders.order_id = case when found.story = 'order' then found.subject::bigint end;
