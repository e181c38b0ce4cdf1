-- After the sale: care folders and their messages, Backship deliveries and returns, refunds, invoices.

create table backmarket.care_folders (
    account text not null,
    care_folder_id bigint not null,
    orderline_id bigint,
    order_id bigint,
    state integer,
    country_code text,
    issues text [] not null default '{}',
    return_labels jsonb not null default '[]',
    date_creation timestamptz,
    date_modification timestamptz,
    date_last_message timestamptz,
    date_closed timestamptz,
    last_message_by text,
    waits_for text check (waits_for in ('seller', 'customer')),
    waits_since timestamptz,
    document jsonb not null,
    first_seen_at timestamptz not null default now(),
    read_at timestamptz not null,
    gone_at timestamptz,
    primary key (account, care_folder_id)
);
create index care_folders_by_order on backmarket.care_folders (account, order_id);
create index care_folders_open on backmarket.care_folders (account, waits_since)
where state is distinct from 9 and gone_at is null;

comment on table backmarket.care_folders is 'Back Market''s after-sales conversations (care folders), one row each.';
comment on column backmarket.care_folders.state is '0 open, 9 closed.';
comment on column backmarket.care_folders.last_message_by is
'Who wrote last: seller, customer, back_market, or what Back Market calls it. Messages for information do not count.';
comment on column backmarket.care_folders.waits_for is
'Whose turn it is: seller or customer; null where it is closed or nobody has written.';
comment on column backmarket.care_folders.waits_since is
'The first message that nobody of that side has answered.';
comment on column backmarket.care_folders.document is 'As Back Market sent it, without messages and names.';
comment on column backmarket.care_folders.gone_at is 'Since when Back Market no longer serves it; null while it does.';

create table backmarket.care_messages (
    account text not null,
    care_folder_id bigint not null,
    message_id bigint not null,
    sender text,
    kind text,
    is_informative boolean not null default false,
    date_creation timestamptz,
    message text,
    attachments text [] not null default '{}',
    primary key (account, care_folder_id, message_id),
    foreign key (account, care_folder_id) references backmarket.care_folders (account, care_folder_id)
);

comment on table backmarket.order_addresses is
'Where orders go and who pays. Personal data, as care_messages and quarantine; purged after backmarket_pii_retention_days.';
comment on table backmarket.care_messages is
'What was written in care folders. Personal data, as order_addresses; purged after backmarket_pii_retention_days.';
comment on column backmarket.care_messages.attachments is 'Links; the files stay with Back Market.';

-- Who has no order that Backship carries is asked for none.
create index orders_backship on backmarket.orders (account) where is_backship;

create table backmarket.deliveries (
    account text not null,
    shipment_id bigint not null,
    order_id bigint,
    orderline_ids bigint [] not null default '{}',
    tracking_number text,
    tracking_url text,
    carrier_name text,
    label_url text,
    is_scanned boolean,
    invoiced_price numeric,
    invoiced_currency text,
    date_creation timestamptz,
    date_pickup timestamptz,
    date_delivery timestamptz,
    document jsonb not null,
    first_seen_at timestamptz not null default now(),
    read_at timestamptz not null,
    primary key (account, shipment_id)
);
create index deliveries_by_order on backmarket.deliveries (account, order_id);

comment on table backmarket.deliveries is 'Parcels that Back Market''s own shipping (Backship) brings to customers.';
comment on column backmarket.deliveries.invoiced_price is 'What Back Market bills for it, in invoiced_currency.';

create table backmarket.returns (
    account text not null,
    shipment_id bigint not null,
    order_id bigint,
    orderline_id bigint,
    tracking_number text,
    tracking_url text,
    carrier_name text,
    label_url text,
    is_scanned boolean,
    invoiced_price numeric,
    invoiced_currency text,
    date_creation timestamptz,
    date_pickup timestamptz,
    date_delivery timestamptz,
    document jsonb not null,
    first_seen_at timestamptz not null default now(),
    read_at timestamptz not null,
    primary key (account, shipment_id)
);
create index returns_by_order on backmarket.returns (account, order_id);
create index returns_by_delivery on backmarket.returns (account, date_delivery);

comment on table backmarket.returns is 'Parcels that customers send back under a label of Back Market''s.';
comment on column backmarket.returns.date_delivery is 'When it reached the seller; null while it is on its way.';

create table backmarket.after_sales_parts (
    account text not null,
    part text not null check (part in ('care', 'deliveries', 'returns')),
    known_since timestamptz,
    unavailable_since timestamptz,
    asked_at timestamptz,
    reason text,
    primary key (account, part)
);

comment on table backmarket.after_sales_parts is
'From when on each part of what comes after the sale is known, and which of them Back Market does not serve.';
comment on column backmarket.after_sales_parts.asked_at is 'When it was asked for last, while it is not served.';
comment on column backmarket.after_sales_parts.unavailable_since is
'Since when Back Market answers 404 or 403: nothing is asked but once a day. Null: it serves this part.';

-- A refund is money: what was sent and what a person decided are kept for good.
alter table backmarket.changes drop constraint changes_kind_check;
alter table backmarket.changes add constraint changes_kind_check check (
    kind in ('accept', 'tracking', 'imei', 'quantity', 'price', 'listing', 'product', 'refund', 'invoice')
);
create index changes_refunds on backmarket.changes (account, ((payload ->> 'order_id')::bigint))
where kind = 'refund';

comment on column backmarket.changes.subject is
'The SKU for quantity, price, listing and product; the order id for tracking and invoice; the orderline id for accept,
imei and refund.';

create view backmarket.refunds_sent as
select
    account,
    change_id,
    (payload ->> 'order_id')::bigint as order_id,
    (payload ->> 'orderline_id')::bigint as orderline_id,
    payload ->> 'refund' as kind,
    (payload ->> 'amount')::numeric as amount,
    payload ->> 'currency' as currency,
    payload ->> 'is_whole' = 'true' as is_whole,
    status,
    sent_at,
    confirmed_at
from backmarket.changes
where kind = 'refund' and status in ('sent', 'unknown', 'confirmed') and attempts > 0;

comment on view backmarket.refunds_sent is
'Refunds that were sent and not refused; amount in the order''s currency. Only those confirmed are known to be applied.';

create table backmarket.refund_approvals (
    account text not null,
    orderline_id bigint not null,
    order_id bigint not null,
    kind text not null,
    amount numeric not null,
    currency text not null,
    reason text not null,
    status text not null check (status in ('asked', 'approved', 'refused', 'expired')),
    run_id text not null,
    asked_at timestamptz not null default now(),
    decided_at timestamptz,
    decided_by text,
    primary key (account, orderline_id, kind, amount, currency)
);

comment on table backmarket.refund_approvals is
'Refunds that a person was asked about. A decision holds for exactly this line, kind and amount.';

create table backmarket.invoice_files (
    account text not null,
    path text not null,
    size bigint not null,
    modified_at timestamptz not null,
    order_id bigint,
    sha256 text,
    reason text,
    read_at timestamptz not null default now(),
    primary key (account, path)
);

create index invoice_files_unusable on backmarket.invoice_files (account) where reason is not null;

comment on table backmarket.invoice_files is
'Files of the invoice folder as they were when they were read last: one that is the same is not read again.';
comment on column backmarket.invoice_files.reason is 'Why it cannot be sent; null where it can.';

-- What comes after the sale explains refunds on statements: orders it concerns are compared with them again.
create function backmarket.mark_stale_order() returns trigger
language plpgsql
as $$
declare
    stale bigint;
begin
    if tg_table_name = 'changes' then
        stale := (new.payload ->> 'order_id')::bigint;
    else
        stale := new.order_id;
    end if;
    insert into backmarket.settlement_stale_orders (account, order_id)
    select account, stale
    from backmarket.settlement_comparisons
    where account = new.account and stale is not null and compared_at > now() - interval '31 days';
    return null;
end
$$;

create trigger returns_inserted after insert on backmarket.returns
for each row execute function backmarket.mark_stale_order();
create trigger returns_updated after update on backmarket.returns
for each row when (
    (old.order_id, old.orderline_id, old.date_delivery) is distinct from (new.order_id, new.orderline_id, new.date_delivery)
)
execute function backmarket.mark_stale_order();
create trigger refunds_changed after update on backmarket.changes
for each row when (new.kind = 'refund' and old.status is distinct from new.status)
execute function backmarket.mark_stale_order();
create trigger care_folders_inserted after insert on backmarket.care_folders
for each row execute function backmarket.mark_stale_order();
create trigger care_folders_updated after update on backmarket.care_folders
for each row when (old.order_id is distinct from new.order_id)
execute function backmarket.mark_stale_order();

-- A person saw in the Back Office what became of a refund whose answer was lost.
alter table backmarket.need_marks drop constraint need_marks_mark_check;
alter table backmarket.need_marks add constraint need_marks_mark_check check (
    mark in (
        'resolved', 'ignored', 'commented', 'retried', 'reopened', 'approved', 'declined', 'paid_back', 'not_paid_back'
    )
);

comment on column backmarket.need_marks.mark is
'resolved: away until it is found again or changes. ignored: away until it changes. approved and declined: a price or
refund. paid_back and not_paid_back: what a person saw of a refund whose answer was lost.';
comment on column backmarket.need_marks.need is 'The kind of thing, as addresses of the page name it: refused, approvals and so on.';

-- Once returns are known, refunds that had none are findings: all orders are looked at once.
create function backmarket.doubt_comparison() returns trigger
language plpgsql
as $$
begin
    update backmarket.settlement_comparisons set rules = '' where account = new.account;
    return null;
end
$$;

create trigger returns_first_known after insert on backmarket.after_sales_parts
for each row when (new.part = 'returns' and new.known_since is not null)
execute function backmarket.doubt_comparison();
create trigger returns_known_otherwise after update on backmarket.after_sales_parts
for each row when (new.part = 'returns' and old.known_since is distinct from new.known_since)
execute function backmarket.doubt_comparison();

alter table backmarket.settlement_findings drop constraint settlement_findings_kind_check;
alter table backmarket.settlement_findings add constraint settlement_findings_kind_check check (
    kind in (
        'missing_sale', 'sale_without_order', 'sale_amount_difference', 'fee_difference',
        'refund_without_refunded_line', 'refunded_line_without_refund', 'refund_amount_difference',
        'refund_without_fee_credit', 'fee_credit_difference', 'currency_mismatch', 'line_changed', 'line_vanished',
        'unknown_key', 'unknown_order_reference', 'no_value_date', 'payout_never_released', 'refund_not_in_statement',
        'returned_not_refunded', 'refunded_not_returned'
    )
);

-- A table or view that the seller's systems have put in place already stays as it is.
do $$
begin
    if to_regclass('seller.refunds') is null then
        -- No primary key: two refunds of one line may both be meant.
        create table seller.refunds (
            account text not null default 'default',
            order_id bigint not null,
            orderline_id bigint,
            kind text not null,
            amount numeric,
            currency text,
            return_reason integer,
            return_message text
        );
        create index refunds_by_order on seller.refunds (account, order_id);

        comment on column seller.refunds.orderline_id is 'Null where the order has one line.';
        comment on column seller.refunds.kind is 'cancel, refund_before_shipping or refund.';
        comment on column seller.refunds.amount is 'In the order''s currency; null for all that is left of the line.';
    end if;
end $$;
