-- Settlement statements as sellers export them, what orders say they should hold, and every difference.

create table backmarket.settlement_files (
    account text not null,
    path text not null,
    size bigint not null,
    modified_at timestamptz not null,
    sha256 text not null,
    invoice_ref text not null,
    line_count integer not null,
    loaded_at timestamptz not null default now(),
    primary key (account, path)
);

comment on table backmarket.settlement_files is
'The files of the inbox that have been read: one that has not changed since is not opened again.';

create table backmarket.settlement_statements (
    account text not null,
    invoice_ref text not null,
    currency text not null,
    file_name text not null,
    sha256 text not null,
    exported_at timestamptz not null,
    issued_on date,
    covers daterange not null,
    line_count integer not null,
    total numeric not null,
    loaded_at timestamptz not null default now(),
    primary key (account, invoice_ref, currency)
);

comment on column backmarket.settlement_statements.total is
'The sum of the newest export''s rows, as added up while its file was read.';
comment on column backmarket.settlement_statements.exported_at is
'The modification time of the newest export''s file: of two exports of one statement the later one holds.';
comment on column backmarket.settlement_statements.covers is
'The days this statement settles: those of its rows, and the seven before its date of issue.';

create table backmarket.settlement_lines (
    account text not null,
    invoice_ref text not null,
    currency text not null,
    content_hash uuid not null,
    occurrence integer not null,
    line_no integer not null,
    invoice_key text not null,
    category text not null,
    role text not null,
    value_date date not null,
    sku text,
    order_id bigint,
    number bigint,
    tracking_number text,
    tied_by text check (tied_by in ('order', 'orderline', 'tracking')),
    designation text not null,
    amount numeric not null,
    vanished boolean not null default false,
    primary key (account, content_hash, occurrence)
);

comment on column backmarket.settlement_lines.content_hash is 'MD5 of invoice_ref, currency and the row''s normalised content: with occurrence, the row''s identity.';
comment on column backmarket.settlement_lines.occurrence is 'Of identical rows of a statement, the first, the second …';
comment on column backmarket.settlement_lines.line_no is 'Where the row stood when it was first read; for information.';
comment on column backmarket.settlement_lines.number is 'The order id, or orderline id, that the row names.';
comment on column backmarket.settlement_lines.order_id is
'The order the row belongs to; where tied_by is null, the number it names, which no stored order has.';
comment on column backmarket.settlement_lines.vanished is
'An older export of the statement has this row, the newest does not: kept, reported, left out of totals.';

create index settlement_lines_by_order on backmarket.settlement_lines (order_id, account);
-- A statement is about a week: its rows lie together, so the coarse index that costs nothing to keep is enough.
create index settlement_lines_by_day on backmarket.settlement_lines using brin (value_date);
create index settlement_lines_untied on backmarket.settlement_lines (account, number)
where tied_by is null and (number is not null or tracking_number is not null);

-- Without a key: loads that run side by side only ever add to it, and never wait for each other.
create table backmarket.settlement_stale_days (
    account text not null,
    day date not null
);
create index settlement_stale_days_by_account on backmarket.settlement_stale_days (account);

comment on table backmarket.settlement_stale_days is
'Days that newly stored rows belong to and that no reconciliation has looked at since.';

create table backmarket.settlement_unknown_orders (
    account text not null,
    number bigint not null,
    tried_at timestamptz not null,
    primary key (account, number)
);

comment on table backmarket.settlement_unknown_orders is
'Orders that statements name and that Back Market, asked by id, does not have.';

create table backmarket.settlement_findings (
    account text not null,
    kind text not null check (
        kind in (
            'missing_sale', 'sale_without_order', 'sale_amount_difference', 'fee_difference',
            'refund_without_refunded_line', 'refunded_line_without_refund', 'refund_amount_difference',
            'refund_without_fee_credit', 'fee_credit_difference', 'currency_mismatch', 'line_vanished',
            'unknown_key', 'payout_never_released'
        )
    ),
    subject text not null,
    order_id bigint,
    invoice_ref text,
    day date not null,
    expected numeric,
    actual numeric,
    currency text not null,
    detail text not null,
    documents jsonb not null,
    status text not null check (status in ('open', 'closed')),
    opened_at timestamptz not null default now(),
    closed_at timestamptz,
    primary key (account, kind, subject)
);

comment on column backmarket.settlement_findings.subject is 'What it is about: an order, a row or a payout.';
comment on column backmarket.settlement_findings.day is 'The UTC date of shipping, or the row''s value date.';
comment on column backmarket.settlement_findings.expected is
'Signed as on a statement: costs are negative. Null: nothing was expected.';
comment on column backmarket.settlement_findings.documents is
'The statement rows behind it (invoice_ref, line_no, invoice_key, amount).';

create index settlement_findings_by_order on backmarket.settlement_findings (account, order_id);
create index settlement_findings_by_day on backmarket.settlement_findings (account, day);

create table backmarket.settlement_finding_history (
    account text not null,
    kind text not null,
    subject text not null,
    changed_at timestamptz not null default clock_timestamp(),
    status text not null,
    expected numeric,
    actual numeric,
    primary key (account, kind, subject, changed_at),
    foreign key (account, kind, subject) references backmarket.settlement_findings (account, kind, subject)
);

comment on table backmarket.settlement_finding_history is
'One row each time a finding opened, changed its amounts, or closed.';

create table backmarket.settlement_reports (
    account text not null,
    run_id text not null,
    first_day date not null,
    last_day date not null,
    html text not null,
    created_at timestamptz not null default now(),
    primary key (account, run_id)
);

-- What a line's money means once its quantity is settled. Back Market says that prices are per unit; one report had
-- them per line, so the order's own totals decide where they fit only the other reading.
create view backmarket.settlement_expected_lines as
with sums as (
    select
        account,
        order_id,
        sum(price * quantity) as price_by_unit,
        sum(price) as price_by_line,
        sum(shipping_price * quantity) as shipping_by_unit,
        sum(shipping_price) as shipping_by_line,
        max(quantity) as most
    from backmarket.order_lines
    where gone_at is null
    group by account, order_id
),

readings as (
    select
        orders.account,
        orders.order_id,
        orders.currency,
        orders.date_shipping,
        coalesce(orders.date_modification, orders.read_at) as changed_at,
        sums.most > 1
        and orders.price is distinct from sums.price_by_unit
        and orders.price is distinct from sums.price_by_unit + coalesce(orders.shipping_price, 0)
        and orders.price in (sums.price_by_line, sums.price_by_line + orders.shipping_price) as price_is_by_line,
        sums.most > 1
        and orders.shipping_price is not distinct from sums.shipping_by_unit
        and orders.shipping_price is distinct from sums.shipping_by_line as shipping_is_by_unit
    from backmarket.orders
    inner join sums on orders.account = sums.account and orders.order_id = sums.order_id
)

select
    readings.account,
    readings.order_id,
    line.orderline_id,
    line.state,
    coalesce(line.currency, readings.currency) as currency,
    (readings.date_shipping at time zone 'UTC')::date as shipped_on,
    (readings.changed_at at time zone 'UTC')::date as changed_on,
    line.price * case when readings.price_is_by_line then 1 else line.quantity end
    + coalesce(line.shipping_price, 0) * case when readings.shipping_is_by_unit then line.quantity else 1 end as sale,
    line.orderline_fee as fee
from readings
inner join backmarket.order_lines as line
    on readings.account = line.account and readings.order_id = line.order_id and line.gone_at is null;

comment on view backmarket.settlement_expected_lines is
'What each order line is worth: price times quantity, plus shipping; and its commission.';

-- Lines in state 3 and 6 were sold and shipped. Those in 4 and 5 ended before shipping: statements may or may not
-- hold them as a sale with its refund.
create view backmarket.settlement_expectations as
select
    account,
    order_id,
    min(currency) as currency,
    min(shipped_on) as shipped_on,
    min(changed_on) as changed_on,
    count(*) filter (where state in (3, 6)) as lines_shipped,
    count(*) filter (where state in (5, 6)) as lines_refunded,
    count(*) filter (where state = 4) as lines_cancelled,
    sum(sale) filter (where state in (3, 6)) as sale_shipped,
    sum(sale) filter (where state in (4, 5)) as sale_ended,
    sum(fee) filter (where state in (3, 6)) as fee_shipped,
    sum(fee) filter (where state in (4, 5)) as fee_ended,
    sum(sale) filter (where state = 6) as refund_shipped,
    sum(sale) filter (where state = 5) as refund_ended,
    sum(fee) filter (where state = 6) as credit_shipped,
    sum(fee) filter (where state = 5) as credit_ended,
    bool_and(fee is not null) as fees_known,
    bool_and(sale is not null) as sales_known
from backmarket.settlement_expected_lines
group by account, order_id;

create view backmarket.settlement_order_totals as
select
    account,
    order_id,
    currency,
    coalesce(sum(amount) filter (where category = 'revenue'), 0) as sales,
    coalesce(sum(amount) filter (where category in ('commission', 'payment_fee', 'service', 'logistics')), 0) as fees,
    coalesce(sum(amount) filter (where category = 'refund'), 0) as refunds,
    coalesce(sum(amount) filter (where category = 'adjustment'), 0) as adjustments,
    coalesce(sum(amount) filter (where category not in ('cash_flow', 'unknown')), 0) as net,
    count(*) as lines
from backmarket.settlement_lines
where order_id is not null and not vanished
group by account, order_id, currency;

comment on view backmarket.settlement_order_totals is
'What statements paid for an order: the inputs of its margin. Net leaves out cash flow and unknown keys.';

create view backmarket.settlement_daily_totals as
select
    account,
    value_date as day,
    currency,
    coalesce(sum(amount) filter (where category = 'revenue'), 0) as sales,
    coalesce(sum(amount) filter (where category in ('commission', 'payment_fee', 'service', 'logistics')), 0) as fees,
    coalesce(sum(amount) filter (where category = 'refund'), 0) as refunds,
    coalesce(sum(amount) filter (where category = 'adjustment'), 0) as adjustments,
    coalesce(sum(amount) filter (where category not in ('cash_flow', 'unknown')), 0) as net,
    coalesce(sum(amount) filter (where category = 'cash_flow'), 0) as cash_flow,
    coalesce(sum(amount) filter (where category = 'unknown'), 0) as unknown,
    sum(amount) as paid_out
from backmarket.settlement_lines
where not vanished
group by account, value_date, currency;

comment on view backmarket.settlement_daily_totals is
'Per day and currency: what was earned (net), and what that leaves to be paid out with cash flow and unknown keys.';

create view backmarket.settlement_quality as
with sums as (
    select
        account,
        invoice_ref,
        currency,
        sum(amount) filter (where not vanished) as total,
        count(*) filter (where not vanished) as line_count
    from backmarket.settlement_lines
    group by account, invoice_ref, currency
),

statements as (
    select
        statement.account,
        count(*) as statements,
        coalesce(sum(statement.line_count), 0) as lines,
        count(*) filter (
            where
            (statement.total, statement.line_count) is distinct from (coalesce(sums.total, 0), coalesce(sums.line_count, 0))
        ) as statements_off
    from backmarket.settlement_statements as statement
    left join sums
        on
            statement.account = sums.account
            and statement.invoice_ref = sums.invoice_ref
            and statement.currency = sums.currency
    group by statement.account
),

orphans as (
    select line.account, count(*) as orphan_lines
    from backmarket.settlement_lines as line
    where
        line.tied_by is null
        and not line.vanished
        and line.role in ('sale', 'fee', 'fee_credit', 'refund')
        and (
            line.number is null
            or line.number in (select number from backmarket.settlement_unknown_orders as u where u.account = line.account)
        )
    group by line.account
),

unreadable as (
    select account, count(*) as unreadable_files
    from backmarket.quarantine
    where entity = 'settlement_file'
    group by account
)

select
    accounts.account,
    coalesce(statements.statements, 0) as statements,
    coalesce(statements.lines, 0) as lines,
    coalesce(statements.statements_off, 0) as statements_off,
    coalesce(orphans.orphan_lines, 0) as orphan_lines,
    round(100.0 * coalesce(orphans.orphan_lines, 0) / greatest(statements.lines, 1), 2) as orphan_pct,
    coalesce(unreadable.unreadable_files, 0) as unreadable_files
from backmarket.accounts
left join statements on accounts.account = statements.account
left join orphans on accounts.account = orphans.account
left join unreadable on accounts.account = unreadable.account;

comment on view backmarket.settlement_quality is
'What must not be: statements whose rows do not add up, rows without an order, files that cannot be read.';
