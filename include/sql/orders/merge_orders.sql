-- Merge staged orders, their lines and addresses in one statement; answers the ids it touched.
-- :account
--
-- Of several readings of one order the newest document wins; at equal date_modification, or where one of them has
-- none, the later reading does, whichever is merged first. So it is among those staged, and against what is stored.
-- A date_modification behind the end of the second in which its document was read cannot be true. It counts as none:
-- one of the year 2099 would keep every later reading out for ever.
-- Unchanged rows are not rewritten.
-- Documents stay where they are until it is known which are stored: sorting them along would take the disk.
with readings as (
    select
        staged.order_id,
        staged.read_no,
        staged.read_at,
        staged.date_modification,
        staged.date_shipping,
        case
            when staged.date_modification < date_trunc('second', staged.read_at) + interval '1 second'
                then staged.date_modification
        end as true_modification
    from staged_orders as staged
),

-- Pages arrive in any order: read_no, which counts as they came, only tells readings of one moment apart.
latest as (
    select distinct on (order_id) *
    from (
        select
            readings.*,
            case
                when bool_and(true_modification is not null) over (partition by order_id) then true_modification
            end as comparable_date
        from readings
    ) as of_order
    order by order_id asc, comparable_date desc, read_at desc, read_no desc
),

known as (
    select
        order_id,
        read_at,
        case
            when date_modification < date_trunc('second', read_at) + interval '1 second' then date_modification
        end as true_modification
    from backmarket.orders
    where account = %(account)s and order_id in (select readings.order_id from readings)
),

fresh as (
    select latest.*
    from latest
    left join known on latest.order_id = known.order_id
    where
        known.order_id is null
        or latest.true_modification > known.true_modification
        or (
            coalesce(latest.true_modification = known.true_modification, true)
            and latest.read_at >= known.read_at
        )
),

merged_orders as (
    insert into backmarket.orders as stored (
        account, order_id, state, country_code, currency, price, shipping_price, sales_taxes, payment_method,
        tracking_number, tracking_url, shipper, is_backship, delivery_note,
        date_creation, date_modification, date_payment, date_shipping, expected_dispatch_date,
        document, first_seen_at, read_at
    )
    select
        %(account)s, staged.order_id, staged.state, staged.country_code, staged.currency, staged.price,
        staged.shipping_price, staged.sales_taxes, staged.payment_method, staged.tracking_number,
        staged.tracking_url, staged.shipper, staged.is_backship, staged.delivery_note, staged.date_creation,
        staged.date_modification, staged.date_payment, staged.date_shipping, staged.expected_dispatch_date,
        staged.document, staged.read_at, staged.read_at
    from fresh
    inner join staged_orders as staged on fresh.read_no = staged.read_no
    order by fresh.order_id
    on conflict (account, order_id) do update set
        state = excluded.state,
        country_code = excluded.country_code,
        currency = excluded.currency,
        price = excluded.price,
        shipping_price = excluded.shipping_price,
        sales_taxes = excluded.sales_taxes,
        payment_method = excluded.payment_method,
        tracking_number = excluded.tracking_number,
        tracking_url = excluded.tracking_url,
        shipper = excluded.shipper,
        is_backship = excluded.is_backship,
        delivery_note = excluded.delivery_note,
        date_creation = excluded.date_creation,
        date_modification = excluded.date_modification,
        date_payment = excluded.date_payment,
        date_shipping = excluded.date_shipping,
        expected_dispatch_date = excluded.expected_dispatch_date,
        document = excluded.document,
        read_at = excluded.read_at,
        gone_at = null
    where
        stored.document is distinct from excluded.document
        or stored.gone_at is not null
    -- xmax is zero only in a row version that this statement inserted.
    returning stored.order_id, (stored.xmax = 0) as is_new
),

merged_lines as (
    insert into backmarket.order_lines as stored (
        account, orderline_id, order_id, sku, listing_id, quantity, price, shipping_price, currency, state,
        orderline_fee, sales_taxes, return_reason, return_message, imei, serial_number, product, product_id,
        brand, condition, backcare, backcare_price_cents, date_creation,
        first_seen_at, first_seen_state, accepted_seen_at
    )
    select distinct on (line.orderline_id)
        %(account)s, line.orderline_id, line.order_id, line.sku, line.listing_id, line.quantity, line.price,
        line.shipping_price, line.currency, line.state, line.orderline_fee, line.sales_taxes, line.return_reason,
        line.return_message, line.imei, line.serial_number, line.product, line.product_id, line.brand,
        line.condition, line.backcare, line.backcare_price_cents, line.date_creation,
        fresh.read_at, line.state,
        -- 2 accepted, 3 shipped, 5 and 6 refunded from there: accepted by the earliest of what we know. So is a line
        -- in a state that is not known, once its order is shipped.
        case
            when
                line.state in (2, 3, 5, 6)
                or (line.state not between 0 and 9 and fresh.date_shipping is not null)
                then least(fresh.read_at, fresh.date_shipping, fresh.date_modification)
        end
    from fresh
    inner join merged_orders on fresh.order_id = merged_orders.order_id
    inner join staged_order_lines as line on fresh.order_id = line.order_id and fresh.read_no = line.read_no
    order by line.orderline_id
    on conflict (account, orderline_id) do update set
        order_id = excluded.order_id,
        sku = excluded.sku,
        listing_id = excluded.listing_id,
        quantity = excluded.quantity,
        price = excluded.price,
        shipping_price = excluded.shipping_price,
        currency = excluded.currency,
        state = excluded.state,
        orderline_fee = excluded.orderline_fee,
        sales_taxes = excluded.sales_taxes,
        return_reason = excluded.return_reason,
        return_message = excluded.return_message,
        imei = excluded.imei,
        serial_number = excluded.serial_number,
        product = excluded.product,
        product_id = excluded.product_id,
        brand = excluded.brand,
        condition = excluded.condition,
        backcare = excluded.backcare,
        backcare_price_cents = excluded.backcare_price_cents,
        date_creation = excluded.date_creation,
        accepted_seen_at = coalesce(stored.accepted_seen_at, excluded.accepted_seen_at),
        gone_at = null
    returning stored.orderline_id
),

-- A line that the newer document no longer lists is kept, and marked.
gone_lines as (
    update backmarket.order_lines as stored
    set gone_at = fresh.read_at
    from fresh
    inner join merged_orders on fresh.order_id = merged_orders.order_id
    where
        stored.account = %(account)s
        and stored.order_id = fresh.order_id
        and stored.gone_at is null
        and not exists (
            select 1
            from staged_order_lines as line
            where line.order_id = fresh.order_id and line.read_no = fresh.read_no
            and line.orderline_id = stored.orderline_id
        )
    returning stored.orderline_id
),

-- A null never wipes what is known: Back Market blanks addresses of older orders.
merged_addresses as (
    insert into backmarket.order_addresses as stored (
        account, order_id, kind, first_name, last_name, first_name_pronunciation, last_name_pronunciation,
        company, street, street2, postal_code, city, state, country, phone, email, customer_id_number
    )
    select
        %(account)s, address.order_id, address.kind, address.first_name, address.last_name,
        address.first_name_pronunciation, address.last_name_pronunciation, address.company, address.street,
        address.street2, address.postal_code, address.city, address.state, address.country, address.phone,
        address.email, address.customer_id_number
    from fresh
    inner join staged_order_addresses as address
        on fresh.order_id = address.order_id and fresh.read_no = address.read_no
    order by address.order_id, address.kind
    on conflict (account, order_id, kind) do update set
        first_name = coalesce(excluded.first_name, stored.first_name),
        last_name = coalesce(excluded.last_name, stored.last_name),
        first_name_pronunciation = coalesce(excluded.first_name_pronunciation, stored.first_name_pronunciation),
        last_name_pronunciation = coalesce(excluded.last_name_pronunciation, stored.last_name_pronunciation),
        company = coalesce(excluded.company, stored.company),
        street = coalesce(excluded.street, stored.street),
        street2 = coalesce(excluded.street2, stored.street2),
        postal_code = coalesce(excluded.postal_code, stored.postal_code),
        city = coalesce(excluded.city, stored.city),
        state = coalesce(excluded.state, stored.state),
        country = coalesce(excluded.country, stored.country),
        phone = coalesce(excluded.phone, stored.phone),
        email = coalesce(excluded.email, stored.email),
        customer_id_number = coalesce(excluded.customer_id_number, stored.customer_id_number)
    where
        (
            coalesce(excluded.first_name, stored.first_name),
            coalesce(excluded.last_name, stored.last_name),
            coalesce(excluded.first_name_pronunciation, stored.first_name_pronunciation),
            coalesce(excluded.last_name_pronunciation, stored.last_name_pronunciation),
            coalesce(excluded.company, stored.company),
            coalesce(excluded.street, stored.street),
            coalesce(excluded.street2, stored.street2),
            coalesce(excluded.postal_code, stored.postal_code),
            coalesce(excluded.city, stored.city),
            coalesce(excluded.state, stored.state),
            coalesce(excluded.country, stored.country),
            coalesce(excluded.phone, stored.phone),
            coalesce(excluded.email, stored.email),
            coalesce(excluded.customer_id_number, stored.customer_id_number)
        ) is distinct from (
            stored.first_name, stored.last_name, stored.first_name_pronunciation, stored.last_name_pronunciation,
            stored.company, stored.street, stored.street2, stored.postal_code,
            stored.city, stored.state, stored.country, stored.phone,
            stored.email, stored.customer_id_number
        )
    returning stored.order_id
),

touched as (
    select order_id, is_new from merged_orders
    union all
    select order_id, false from merged_addresses
),

verdicts as (
    select latest.order_id, bool_or(touched.is_new) as is_new
    from latest
    left join touched on latest.order_id = touched.order_id
    group by latest.order_id
)

select
    count(*) filter (where is_new) as new,
    count(*) filter (where not is_new) as changed,
    count(*) filter (where is_new is null) as unchanged
from verdicts;
