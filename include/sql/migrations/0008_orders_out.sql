-- Orders out: the seller's own names of carriers, and what every open order waits for.

create table seller.shipper_aliases (
    account text not null default 'default',
    alias text not null,
    shipper text not null,
    primary key (account, alias)
);

comment on table seller.shipper_aliases is
'Carrier names of the seller''s systems (alias) and Back Market''s name for each (shipper).';

-- Whether an IMEI is on another line is asked before each is sent.
create index order_lines_by_imei on backmarket.order_lines (account, imei) where imei is not null;

-- Functions in quotes, so that the view does not depend on the seller's tables: each may be replaced by a view.
create function backmarket.shipments_given()
returns table (account text, order_id bigint)
language sql stable
as 'select distinct account::text, order_id::bigint from seller.shipments';

create function backmarket.devices_given()
returns table (account text, order_id bigint)
language sql stable
as 'select distinct account::text, order_id::bigint from seller.devices';

create view backmarket.order_desk as
with open_orders as (
    select account, order_id, state, country_code, is_backship, date_payment, expected_dispatch_date
    from backmarket.orders
    where state in (0, 1, 3, 10) and gone_at is null
),

open_lines as (
    select
        line.account,
        line.order_id,
        string_agg(distinct line.sku, ', ') as skus,
        sum(line.quantity) as units,
        bool_or(line.state in (0, 8, 9)) as has_unpaid,
        bool_or(line.state = 1) as has_paid,
        bool_or(line.state = 2) as has_accepted,
        bool_or(line.state = 3) as has_shipped,
        bool_or(line.state = 3 and line.quantity = 1 and line.imei is null and line.serial_number is null)
            as has_unidentified,
        min(change.reason) filter (where line.state = 1 and change.kind = 'accept') as accept_reason,
        min(change.reason) filter (where line.state = 3 and change.kind = 'imei') as imei_reason
    from open_orders
    inner join backmarket.order_lines as line
        on open_orders.account = line.account and open_orders.order_id = line.order_id and line.gone_at is null
    left join lateral (
        select distinct on (kind) kind, reason
        from backmarket.changes as newest
        where
            newest.account = line.account
            and newest.kind in ('accept', 'imei')
            and newest.subject = line.orderline_id::text
            and newest.market = ''
            and newest.status <> 'superseded'
        order by kind asc, change_id desc
    ) as change on true
    group by line.account, line.order_id
),

judged as (
    select
        open_orders.*,
        open_lines.skus,
        open_lines.units,
        case
            when open_lines.has_paid and open_lines.accept_reason like 'stock:%' then 'stock'
            when open_lines.has_paid then 'acceptance'
            when open_lines.has_unpaid then 'payment'
            when open_lines.has_accepted and shipment.order_id is null then 'shipment'
            when open_lines.has_accepted then 'tracking'
            when open_lines.has_unidentified and device.order_id is not null then 'imei'
            when open_lines.has_shipped then 'carrier'
        end as waits_for,
        open_lines.accept_reason,
        open_lines.imei_reason
    from open_orders
    inner join open_lines using (account, order_id)
    left join backmarket.shipments_given() as shipment using (account, order_id)
    left join backmarket.devices_given() as device using (account, order_id)
)

select
    judged.account,
    judged.order_id,
    judged.state,
    judged.country_code,
    judged.skus,
    judged.units,
    judged.waits_for,
    case judged.waits_for
        when 'stock' then judged.accept_reason
        when 'acceptance' then judged.accept_reason
        when 'tracking' then tracking.reason
        when 'imei' then judged.imei_reason
    end as reason,
    judged.is_backship,
    judged.date_payment,
    judged.expected_dispatch_date as ship_by,
    round((extract(epoch from judged.expected_dispatch_date - now()) / 3600)::numeric, 1) as hours_left
from judged
left join lateral (
    select newest.reason
    from backmarket.changes as newest
    where
        newest.account = judged.account
        and newest.kind = 'tracking'
        and newest.subject = judged.order_id::text
        and newest.market = ''
        and newest.status <> 'superseded'
    order by newest.change_id desc
    limit 1
) as tracking on true;

comment on view backmarket.order_desk is
'Every open order and what it waits for: payment, stock, acceptance, shipment (no row in seller.shipments), tracking
(a row that is not sent yet), imei (a row in seller.devices that is not registered), or the carrier''s confirmation.';
