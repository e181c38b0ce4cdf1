-- The seller's tables may be views of texts: what they hold is compared as text, so that no row makes a statement fail.

create function backmarket.plain_number(given text) returns text
language sql immutable parallel safe
as $$ select regexp_replace(btrim(given, E' \t\r\n'), '\.0+$', '') $$;

comment on function backmarket.plain_number is
'A number as text without blanks around it and without a zero fraction, as numeric columns print it; any other text
as it is.';

create or replace function backmarket.shipments_given()
returns table (account text, order_id bigint)
language sql stable
as $$
    select distinct orders.account, orders.order_id
    from backmarket.orders as orders
    inner join seller.shipments as shipment
        on orders.account = shipment.account::text
        and orders.order_id::text = backmarket.plain_number(shipment.order_id::text)
    where orders.state in (0, 1, 3, 10) and orders.gone_at is null
$$;

create or replace function backmarket.devices_given()
returns table (account text, order_id bigint)
language sql stable
as $$
    select distinct orders.account, orders.order_id
    from backmarket.orders as orders
    inner join seller.devices as device
        on orders.account = device.account::text
        and orders.order_id::text = backmarket.plain_number(device.order_id::text)
    where orders.state in (0, 1, 3, 10) and orders.gone_at is null
$$;

comment on function backmarket.shipments_given is 'Open orders that seller.shipments has a row for.';
comment on function backmarket.devices_given is 'Open orders that seller.devices has a row for.';
