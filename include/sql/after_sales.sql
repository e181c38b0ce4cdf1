-- name: count_other_invoices
-- How often other files of an order were sent: what the order says of an invoice may be about one of these.
-- :account, :subject, :sha256
select count(*)
from backmarket.changes
where
    account = %(account)s and kind = 'invoice' and subject = %(subject)s and attempts > 0
    and payload ->> 'sha256' <> %(sha256)s;

-- name: forget_invoice_files
-- Forget the files that are not in the folder any more.
-- :account, :paths
delete from backmarket.invoice_files as known
where
    known.account = %(account)s
    and not exists (select 1 from unnest(%(paths)s::text []) as there (path) where there.path = known.path);

-- name: forget_unread_folders
-- Care folders that Back Market has answered for since.
-- :account, :care_folder_ids
delete from backmarket.care_folders_unread
where account = %(account)s and care_folder_id = any(%(care_folder_ids)s::bigint []);

-- name: has_backship
-- Whether any order is carried by Back Market's own shipping.
-- :account
select count(*) > 0
from (select 1 from backmarket.orders where account = %(account)s and is_backship limit 1) as carried;

-- name: keep_unread_folders
-- Care folders that Back Market could not serve, asked for just now.
-- :account, :care_folder_ids, :reasons (as long as each other)
insert into backmarket.care_folders_unread as known (account, care_folder_id, reason)
select %(account)s, failed.care_folder_id, failed.reason
from unnest(%(care_folder_ids)s::bigint [], %(reasons)s::text []) as failed (care_folder_id, reason)
on conflict (account, care_folder_id) do update set reason = excluded.reason, asked_at = excluded.asked_at;

-- name: mark_folders_gone
-- Back Market no longer serves these folders.
-- :account, :care_folder_ids
update backmarket.care_folders
set gone_at = coalesce(gone_at, now())
where account = %(account)s and care_folder_id = any(%(care_folder_ids)s::bigint []);

-- name: mark_served
-- Back Market serves a part; from when on it is known is kept from the first time.
-- :account, :part, :known_since
insert into backmarket.after_sales_parts as stored (account, part, known_since)
values (%(account)s, %(part)s, %(known_since)s)
on conflict (account, part) do update set
    known_since = least(stored.known_since, excluded.known_since),
    unavailable_since = null,
    asked_at = null,
    reason = null;

-- name: mark_unavailable
-- Back Market does not serve a part; answers whether that is new.
-- :account, :part, :reason
insert into backmarket.after_sales_parts as stored (account, part, unavailable_since, asked_at, reason)
values (%(account)s, %(part)s, now(), now(), %(reason)s)
on conflict (account, part) do update set
    unavailable_since = coalesce(stored.unavailable_since, excluded.unavailable_since),
    asked_at = excluded.asked_at,
    reason = excluded.reason
returning unavailable_since = now();

-- name: purge_messages
-- Forget what was written in folders that nothing has happened to for so many days; open ones keep theirs.
-- A date_modification that lies in the future, as it cannot, must not keep it for ever.
-- :account, :days
delete from backmarket.care_messages as message
using backmarket.care_folders as folder
where
    folder.account = %(account)s
    and message.account = folder.account
    and message.care_folder_id = folder.care_folder_id
    and least(folder.date_modification, folder.read_at) < now() - make_interval(days => %(days)s)
    and (folder.state = 9 or folder.gone_at is not null);

-- name: release_documents
-- Documents of an entity that are understood now leave the quarantine, with their parts, which stand behind a slash.
-- :account, :entity, :keys, :kept (those that stay, as they still cannot be understood)
delete from backmarket.quarantine
where
    account = %(account)s
    and entity = %(entity)s
    and split_part(key, '/', 1) = any(%(keys)s::text [])
    and key <> all(%(kept)s::text []);

-- name: select_invoice_files
-- The files of the folder as they were when they were read last.
-- :account
select path, size, modified_at, order_id, sha256, reason
from backmarket.invoice_files
where account = %(account)s;

-- name: select_known_folders
-- What is stored of these folders: by which a list tells whether one has changed.
-- :account, :care_folder_ids
select care_folder_id, state, date_modification, date_last_message
from backmarket.care_folders
where
    account = %(account)s and care_folder_id = any(%(care_folder_ids)s::bigint []) and gone_at is null;

-- name: select_oldest_under_way
-- When the oldest parcel was made, or was first seen where nobody says when, of a table, that may still be under way; those
-- older than :since are not waited for.
-- {table}, :account, :since
select min(coalesce(date_creation, first_seen_at))
from {table}
where account = %(account)s and date_delivery is null and coalesce(date_creation, first_seen_at) >= %(since)s;

-- name: select_open_folders
-- Folders that are open here.
-- :account
select care_folder_id
from backmarket.care_folders
where account = %(account)s and state is distinct from 9 and gone_at is null
order by care_folder_id;

-- name: select_paid_lines
-- Lines of orders as they were last read, each with what the customer paid for it.
-- :account, :order_ids
select wanted.order_id, line.orderline_id, line.sku, line.state, expected.currency, expected.sale
from unnest(%(order_ids)s::bigint []) as wanted (order_id)
cross join lateral (
    select *
    from backmarket.settlement_expected_lines
    where account = %(account)s and order_id = wanted.order_id
    offset 0
) as expected
inner join backmarket.order_lines as line
    on line.account = %(account)s and expected.orderline_id = line.orderline_id
order by wanted.order_id, line.orderline_id;

-- name: select_part
-- When a part was asked for last that Back Market does not serve; no row, or null, where it serves it.
-- :account, :part
select asked_at
from backmarket.after_sales_parts
where account = %(account)s and part = %(part)s;

-- name: select_proven_refunds
-- Refunds of which it is not known whether they were applied, and that a statement shows: a row of that amount, not from
-- before it was sent, that belongs to no other refund of the order.
-- :account
select doubtful.change_id, shown.invoice_ref
from backmarket.refunds_sent as doubtful
cross join lateral (
    select max(line.invoice_ref) as invoice_ref, count(*) as refunds
    from backmarket.settlement_lines as line
    where
        line.account = doubtful.account and line.order_id = doubtful.order_id
        and line.role = 'refund' and line.tied_by is not null and not line.vanished
        and line.amount = -doubtful.amount and line.currency = doubtful.currency
        and line.value_date >= (doubtful.sent_at at time zone 'UTC')::date
) as shown
where
    doubtful.account = %(account)s and doubtful.status = 'unknown'
    and shown.refunds > (
        select count(*)
        from backmarket.refunds_sent as other
        where
            other.account = doubtful.account and other.order_id = doubtful.order_id
            and other.amount = doubtful.amount and other.change_id <> doubtful.change_id
    );

-- name: select_refund_orders
-- Numbers of orders, as texts, that seller.refunds names and that are unknown here, or have a line whose state is none
-- in which its row can be sent, and none that it leads to: the newest reading may be older than the row.
-- :account
select distinct refund.order_id::text
from seller.refunds as refund
left join backmarket.orders as orders
    on orders.account = %(account)s and backmarket.whole_number(refund.order_id::text) = orders.order_id
where
    refund.account::text = %(account)s
    and refund.order_id is not null
    and (
        orders.order_id is null
        or exists (
            select 1
            from backmarket.order_lines as line
            where
                line.account = %(account)s and line.order_id = orders.order_id and line.gone_at is null
                and (
                    refund.orderline_id is null
                    or backmarket.whole_number(refund.orderline_id::text) = line.orderline_id
                )
                and case btrim(refund.kind::text)
                    when 'cancel' then line.state in (0, 8, 9)
                    when 'refund_before_shipping' then line.state in (0, 1, 8, 9)
                    when 'refund' then line.state in (0, 1, 2, 8, 9)
                end
        )
    );

-- name: select_refunds
-- Refunds, as texts, but those whose line shows already that all of it was paid back; in no order of their own.
-- :account
select
    refund.order_id::text,
    btrim(refund.kind::text),
    refund.orderline_id::text,
    refund.amount::text,
    refund.currency::text,
    refund.return_reason::text,
    refund.return_message::text
from seller.refunds as refund
left join backmarket.order_lines as line
    on
        line.account = %(account)s
        and backmarket.whole_number(refund.orderline_id::text) = line.orderline_id
        and backmarket.whole_number(refund.order_id::text) = line.order_id
where
    refund.account::text = %(account)s
    and (
        line.orderline_id is null
        or line.state <> case btrim(refund.kind::text)
            when 'cancel' then 4
            when 'refund_before_shipping' then 5
            when 'refund' then 6
            else 0
        end
    )
order by refund.order_id::text, refund.orderline_id::text, refund.amount::text;

-- name: select_refused_refunds
-- Refunds that Back Market itself refused since a moment: the same again would be refused again.
-- :account, :since
select payload
from backmarket.changes
where
    account = %(account)s and kind = 'refund' and status = 'refused' and attempts > 0 and sent_at > %(since)s;

-- name: select_sent_invoices
-- Contents that orders have, which is the one sent last, or that Back Market refused since a moment: none is sent twice.
-- :account, :subjects, :since
(
    select distinct on (subject) subject, payload ->> 'sha256'
    from backmarket.changes
    where
        account = %(account)s and kind = 'invoice' and subject = any(%(subjects)s::text []) and attempts > 0
        and status = 'confirmed'
    order by subject asc, change_id desc
)
union all
select subject, payload ->> 'sha256'
from backmarket.changes
where
    account = %(account)s and kind = 'invoice' and subject = any(%(subjects)s::text []) and attempts > 0
    and status = 'refused' and sent_at > %(since)s;

-- name: select_sent_refunds
-- Refunds of orders that were sent and not refused.
-- :account, :order_ids
select
    refund.order_id, refund.orderline_id, refund.kind, refund.amount, (refund.sent_at at time zone 'UTC')::date,
    refund.status = 'confirmed'
from backmarket.refunds_sent as refund
where refund.account = %(account)s and refund.order_id = any(%(order_ids)s::bigint [])
order by refund.change_id;

-- name: select_statement_refunds
-- What statements show as paid back to the customers of orders, row by row, as positive amounts in the row's currency.
-- :account, :order_ids
select line.order_id, -line.amount, line.currency, line.value_date
from backmarket.settlement_lines as line
where
    line.account = %(account)s and line.order_id = any(%(order_ids)s::bigint [])
    and line.role = 'refund' and line.tied_by is not null and not line.vanished and line.amount < 0
order by line.order_id, line.invoice_ref, line.line_id;

-- name: select_unread_folders
-- Care folders that Back Market could not serve when they were asked for last, those that waited longest first.
-- :account
select care_folder_id
from backmarket.care_folders_unread
where account = %(account)s
order by asked_at, care_folder_id;

-- name: settle_doubtful_refund
-- A person has seen what became of a refund in doubt, as needs_refunds_in_doubt lists them. No row: that is known already.
-- :account, :change_id, :status, :reason
update backmarket.changes
set
    status = %(status)s,
    reason = %(reason)s,
    confirmed_at = case when %(status)s = 'confirmed' then clock_timestamp() end
where
    account = %(account)s and change_id = %(change_id)s and kind = 'refund' and status = 'unknown' and attempts > 0
    and (
        payload ->> 'is_whole' = 'false' or answered_at is not null or sent_at < now() - interval '1 day'
    )
returning payload;

-- name: sum_sent_refunds
-- What the refunds of a day, which begins at midnight in UTC, come to by currency.
-- :account, :day
select currency, sum(amount)
from backmarket.refunds_sent
where
    account = %(account)s
    and sent_at >= %(day)s::date::timestamp at time zone 'UTC'
    and sent_at < (%(day)s::date + 1)::timestamp at time zone 'UTC'
group by currency;

-- name: upsert_invoice_file
-- Remember a file as it was read.
-- :account, :path, :size, :modified_at, :order_id, :sha256, :reason
insert into backmarket.invoice_files as known (account, path, size, modified_at, order_id, sha256, reason)
values (%(account)s, %(path)s, %(size)s, %(modified_at)s, %(order_id)s, %(sha256)s, %(reason)s)
on conflict (account, path) do update set
    size = excluded.size,
    modified_at = excluded.modified_at,
    order_id = excluded.order_id,
    sha256 = excluded.sha256,
    reason = excluded.reason,
    read_at = excluded.read_at;

-- name: upsert_message
-- Store a message of a folder.
-- :account, :care_folder_id, :message_id, :sender, :kind, :is_informative, :date_creation, :message, :attachments
insert into backmarket.care_messages as stored (
    account, care_folder_id, message_id, sender, kind, is_informative, date_creation, message, attachments
)
values (
    %(account)s, %(care_folder_id)s, %(message_id)s, %(sender)s, %(kind)s, %(is_informative)s, %(date_creation)s,
    %(message)s, %(attachments)s
)
on conflict (account, care_folder_id, message_id) do update set
    sender = excluded.sender,
    kind = excluded.kind,
    is_informative = excluded.is_informative,
    date_creation = excluded.date_creation,
    message = coalesce(excluded.message, stored.message),
    attachments = excluded.attachments;

-- name: upsert_shipment
-- Store a delivery or a return; answers whether it is new, if it changed at all.
-- {table}, {of_lines} (its column for the lines of the order), :account, :shipment_id, :order_id, :of_lines,
-- :tracking_number, :tracking_url, :carrier_name, :label_url, :is_scanned, :invoiced_price, :invoiced_currency,
-- :date_creation, :date_pickup, :date_delivery, :document, :read_at
insert into {table} as stored (
    account, shipment_id, order_id, {of_lines}, tracking_number, tracking_url, carrier_name, label_url, is_scanned,
    invoiced_price, invoiced_currency, date_creation, date_pickup, date_delivery, document, read_at
)
values (
    %(account)s, %(shipment_id)s, %(order_id)s, %(of_lines)s, %(tracking_number)s, %(tracking_url)s,
    %(carrier_name)s, %(label_url)s, %(is_scanned)s, %(invoiced_price)s, %(invoiced_currency)s, %(date_creation)s,
    %(date_pickup)s, %(date_delivery)s, %(document)s, %(read_at)s
)
on conflict (account, shipment_id) do update set
    order_id = excluded.order_id,
    {of_lines} = excluded.{of_lines},
    tracking_number = excluded.tracking_number,
    tracking_url = excluded.tracking_url,
    carrier_name = excluded.carrier_name,
    label_url = excluded.label_url,
    is_scanned = excluded.is_scanned,
    invoiced_price = excluded.invoiced_price,
    invoiced_currency = excluded.invoiced_currency,
    date_creation = excluded.date_creation,
    date_pickup = excluded.date_pickup,
    date_delivery = excluded.date_delivery,
    document = excluded.document,
    read_at = excluded.read_at
where stored.read_at <= excluded.read_at and stored.document <> excluded.document
returning stored.first_seen_at = now();
