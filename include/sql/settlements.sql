-- name: copy_lines
-- One row per row of a statement file; {table} is settlement_lines itself where the statement is new.
copy {table} (
    account, invoice_ref, line_id, line_no, currency, invoice_key, category, role, value_date, is_undated, sku,
    order_id, number, order_reference, tracking_number, tied_by, designation, amount, first_export, last_export, vanished
) from stdin;

-- name: count_open_findings
-- Open findings by kind.
-- :account
select kind, count(*)
from backmarket.settlement_findings
where account = %(account)s and status = 'open'
group by kind
order by kind;

-- name: delete_day_sums
-- Forget what the rows of these days came to.
-- :account, :everything, :days
delete from backmarket.settlement_day_sums
where account = %(account)s and (%(everything)s or day = any(%(days)s::date []));

-- name: delete_nameless
-- Forget a statement that was loaded from a file without a reference: its content has come with one.
-- :account, :sha256, :invoice_ref
with files as (
    update backmarket.settlement_files
    set invoice_ref = %(invoice_ref)s
    where account = %(account)s and invoice_ref = %(sha256)s
),

statements as (
    delete from backmarket.settlement_statements
    where account = %(account)s and invoice_ref = %(sha256)s
)

delete from backmarket.settlement_lines
where account = %(account)s and invoice_ref = %(sha256)s;

-- name: doubt_comparison
-- Findings of some days are computed by these rules now: where all others are by other rules, they are looked at again.
-- :account, :rules
update backmarket.settlement_comparisons
set rules = ''
where account = %(account)s and rules <> %(rules)s;

-- name: insert_report
-- Keep the report of a run; a repeated run replaces its own.
-- :account, :run_id, :first_day, :last_day, :html
insert into backmarket.settlement_reports (account, run_id, first_day, last_day, html)
values (%(account)s, %(run_id)s, %(first_day)s, %(last_day)s, %(html)s)
on conflict (account, run_id) do update set
    first_day = excluded.first_day,
    last_day = excluded.last_day,
    html = excluded.html,
    created_at = excluded.created_at;

-- name: insert_stale_days
-- Days that have to be looked at again.
-- :account, :days
insert into backmarket.settlement_stale_days (account, day)
select %(account)s, day
from unnest(%(days)s::date[]) as day;

-- name: insert_stale_statements
-- Statements to be added up again.
-- :account, :invoice_refs
insert into backmarket.settlement_stale_statements (account, invoice_ref)
select %(account)s, invoice_ref
from unnest(%(invoice_refs)s::text []) as invoice_ref;

-- name: insert_unknown_orders
-- Remember the orders that Back Market does not have: none is asked for twice, and their rows are looked at again.
-- :account, :numbers
with stale as (
    insert into backmarket.settlement_stale_days (account, day)
    select distinct account, value_date
    from backmarket.settlement_lines
    where account = %(account)s and tied_by is null and number = any(%(numbers)s::bigint [])
)

insert into backmarket.settlement_unknown_orders (account, number, tried_at)
select %(account)s, number, now()
from unnest(%(numbers)s::bigint[]) as number
on conflict (account, number) do nothing;

-- name: keep_comparison
-- Remember by which rules all findings are computed now.
-- :account, :rules
update backmarket.settlement_comparisons
set rules = %(rules)s, compared_at = now()
where account = %(account)s;

-- name: mark_changes
-- Let changes be marked from now on, unless they are already: then findings were computed before.
-- :account
insert into backmarket.settlement_comparisons as stored (account, rules)
values (%(account)s, '')
on conflict (account) do update set rules = '', compared_at = now()
where stored.compared_at < now() - interval '30 days';

-- name: merge_fee_shares
-- Which part of a sale payment and care took, by market: the median of the orders settled in the last 90 days; once a day.
-- :account
with due as (
    update backmarket.settlement_comparisons
    set fee_shares_at = now()
    where account = %(account)s and coalesce(fee_shares_at, '-infinity') < now() - interval '1 day'
    returning account
)

insert into backmarket.fee_shares as known (account, market, share, orders)
select
    %(account)s,
    backmarket.market_of(orders.country_code),
    percentile_disc(0.5) within group (order by round(paid.fees / paid.sales, 6)),
    count(*)
from (
    select
        order_id,
        sum(amount) filter (where role = 'sale') as sales,
        -coalesce(sum(amount) filter (where category in ('payment_fee', 'service')), 0) as fees
    from backmarket.settlement_lines
    where
        account = %(account)s and value_date >= current_date - 90 and tied_by is not null and not vanished
        and exists (select 1 from due)
    group by order_id, currency
) as paid
inner join backmarket.orders as orders on orders.account = %(account)s and paid.order_id = orders.order_id
where paid.sales > 0 and backmarket.market_of(orders.country_code) is not null
group by backmarket.market_of(orders.country_code)
on conflict (account, market) do update set
    share = excluded.share, orders = excluded.orders, computed_at = excluded.computed_at;

-- name: open_findings
-- Store what was found: new, changed or come back; answers how many. What is known and unchanged is left alone.
-- :account
with changed as (
    insert into backmarket.settlement_findings as stored (
        account, kind, subject, order_id, invoice_ref, day, expected, actual, currency, expected_currency, detail,
        documents, status
    )
    select
        %(account)s, kind, subject, order_id, invoice_ref, day, expected, actual, currency, expected_currency, detail,
        documents, 'open'
    from found_differences
    on conflict (account, kind, subject) do update set
        order_id = excluded.order_id,
        invoice_ref = excluded.invoice_ref,
        day = excluded.day,
        expected = excluded.expected,
        actual = excluded.actual,
        currency = excluded.currency,
        expected_currency = excluded.expected_currency,
        detail = excluded.detail,
        documents = excluded.documents,
        status = 'open',
        opened_at = case when stored.status = 'open' then stored.opened_at else excluded.opened_at end,
        closed_at = null
    where
        (
            stored.status, stored.day, stored.expected, stored.actual, stored.currency, stored.expected_currency,
            stored.detail, stored.documents
        ) is distinct from (
            'open', excluded.day, excluded.expected, excluded.actual, excluded.currency, excluded.expected_currency,
            excluded.detail, excluded.documents
        )
    returning stored.kind, stored.subject, stored.status, stored.expected, stored.actual
),

noted as (
    insert into backmarket.settlement_finding_history (account, kind, subject, status, expected, actual)
    select %(account)s, kind, subject, status, expected, actual
    from changed
)

select count(*) from changed;

-- name: release_files
-- Files that are readable now, or have left the inbox, leave the quarantine.
-- :account, :still (keys)
delete from backmarket.quarantine
where account = %(account)s and entity = 'settlement_file' and key <> all(%(still)s);

-- name: select_comparison
-- By which rules all findings were computed; empty where some were not since changes are marked.
-- :account
select rules
from backmarket.settlement_comparisons
where account = %(account)s;

-- name: select_costs_by_key
-- What each kind of fee came to in a period, both ends included.
-- :account, :first_day, :last_day
select currency, category, invoice_key, sum(amount) as amount, sum(lines)::bigint as lines
from backmarket.settlement_day_sums
where
    account = %(account)s
    and day between %(first_day)s and %(last_day)s
    and category in ('commission', 'payment_fee', 'service', 'logistics', 'adjustment')
group by currency, category, invoice_key
order by currency, amount;

-- name: select_daily_totals
-- Totals per day and currency of a period, both ends included; as settlement_daily_totals has them.
-- :account, :first_day, :last_day
select
    day,
    currency,
    coalesce(sum(amount) filter (where category = 'revenue'), 0) as sales,
    coalesce(sum(amount) filter (where category in ('commission', 'payment_fee', 'service', 'logistics')), 0) as fees,
    coalesce(sum(amount) filter (where category = 'refund'), 0) as refunds,
    coalesce(sum(amount) filter (where category = 'adjustment'), 0) as adjustments,
    coalesce(sum(amount) filter (where category not in ('cash_flow', 'unknown')), 0) as net,
    sum(amount) as paid_out
from backmarket.settlement_day_sums
where account = %(account)s and day between %(first_day)s and %(last_day)s
group by day, currency
order by day, currency;

-- name: select_files
-- The files that have been read, each with the size, time and content that it had, and what was loaded from it.
-- :account
select path, size, modified_at, sha256, invoice_ref, line_count
from backmarket.settlement_files
where account = %(account)s;

-- name: select_findings_by_kind
-- Open findings of a period by kind and currency, both ends included, with what is at stake.
-- :account, :first_day, :last_day
select kind, currency, count(*) as findings, sum(at_stake) as amount
from backmarket.settlement_open_findings
where account = %(account)s and day between %(first_day)s and %(last_day)s
group by kind, currency
order by amount desc, kind, currency;

-- name: select_newest_exports
-- The newest export stored of each currency of a statement.
-- :account, :invoice_ref
select currency, exported_at, sha256
from backmarket.settlement_statements
where account = %(account)s and invoice_ref = %(invoice_ref)s;

-- name: select_other_account
-- An account that has loaded rows of this content, as this statement or where a name did not say of which: of another
-- statement they are its own, as a month without any sale has the same few rows everywhere. No row where there is none.
-- :account, :sha256, :invoice_ref
select account
from backmarket.settlement_statements
where
    account <> %(account)s and %(sha256)s = any(contents)
    and (invoice_ref in (%(invoice_ref)s, %(sha256)s) or %(invoice_ref)s = %(sha256)s)
order by loaded_at
limit 1;

-- name: select_parcels
-- The orders of tracking numbers.
-- :account, :tracking_numbers
select tracking_number, min(order_id)
from backmarket.orders
where account = %(account)s and tracking_number = any(%(tracking_numbers)s)
group by tracking_number;

-- name: select_quality
-- How many rows there are, and how many of them are sales, fees and refunds of no order.
-- :account
select lines, orphan_lines, round(100.0 * orphan_lines / greatest(lines, 1), 2) as orphan_pct
from (
    select coalesce(sum(line_count), 0) as lines
    from backmarket.settlement_statements
    where account = %(account)s
) as loaded
cross join (
    select count(*) as orphan_lines
    from backmarket.settlement_lines as line
    where
        line.account = %(account)s
        and line.tied_by is null
        and not line.vanished
        and line.role in ('sale', 'fee', 'fee_credit', 'refund')
        and (
            line.number is null
            or exists (
                select 1
                from backmarket.settlement_unknown_orders as tried
                where tried.account = line.account and tried.number = line.number
            )
        )
) as orphans;

-- name: select_statements_of_content
-- The references of the statements that were loaded from this content.
-- :account, :sha256
select distinct invoice_ref
from backmarket.settlement_statements
where account = %(account)s and %(sha256)s = any(contents);

-- name: select_statements_off
-- Of these statements those whose stored rows do not add up to what their newest export says, by invoice and currency.
-- :account, :invoice_refs
select
    statement.invoice_ref,
    statement.currency,
    statement.file_name,
    statement.total as said_total,
    statement.line_count as said_lines,
    coalesce(sum(line.amount), 0) as total,
    count(line.line_id) as lines
from backmarket.settlement_statements as statement
left join backmarket.settlement_lines as line
    on
        statement.account = line.account
        and statement.invoice_ref = line.invoice_ref
        and statement.currency = line.currency
        and not line.vanished
where statement.account = %(account)s and statement.invoice_ref = any(%(invoice_refs)s)
group by statement.account, statement.invoice_ref, statement.currency
having (statement.total, statement.line_count) is distinct from (coalesce(sum(line.amount), 0), count(line.line_id))
order by statement.invoice_ref, statement.currency;

-- name: select_unknown_numbers
-- Numbers that statement rows name, that no stored order has, and that Back Market was not asked for; newest first.
-- :account, :budget
select line.number
from backmarket.settlement_lines as line
where
    line.account = %(account)s
    and line.tied_by is null
    and line.number is not null
    and not exists (
        select 1 from backmarket.orders as known
        where known.account = line.account and known.order_id = line.number
    )
    and not exists (
        select 1 from backmarket.order_lines as known
        where known.account = line.account and known.orderline_id = line.number
    )
    and not exists (
        select 1 from backmarket.settlement_unknown_orders as tried
        where tried.account = line.account and tried.number = line.number
    )
group by line.number
order by max(line.value_date) desc, line.number desc
limit %(budget)s;

-- name: select_unreadable_files
-- The files of the inbox that cannot be read, and why.
-- :account
select coalesce(document ->> 'path', key) as path, reason
from backmarket.quarantine
where account = %(account)s and entity = 'settlement_file'
order by path;

-- name: select_untied_names
-- What rows that belong to no order yet name: a number, or else a tracking number.
-- :account
select distinct number, case when number is null then tracking_number end as tracking_number
from backmarket.settlement_lines
where account = %(account)s and tied_by is null and (number is not null or tracking_number is not null);

-- name: select_unusual_ties
-- Of the numbers that a statement's rows name: those that are no known order, with the order whose orderline they are.
-- :account, :numbers
select named.number, line.order_id
from unnest(%(numbers)s::bigint[]) as named (number)
left join backmarket.orders as known on known.account = %(account)s and named.number = known.order_id
left join backmarket.order_lines as line on line.account = %(account)s and named.number = line.orderline_id
where known.order_id is null;

-- name: select_worst_orders
-- The ten orders with the most at stake in open findings of a period, both ends included.
-- :account, :first_day, :last_day
select
    worst.*,
    (
        select totals.net
        from backmarket.settlement_order_totals as totals
        where
            totals.account = %(account)s
            and totals.order_id = worst.order_id
            and totals.currency = worst.currency
    ) as net
from (
    select order_id, currency, array_agg(distinct kind order by kind) as kinds, sum(at_stake) as amount
    from backmarket.settlement_open_findings
    where account = %(account)s and order_id is not null and day between %(first_day)s and %(last_day)s
    group by order_id, currency
    order by amount desc, order_id
    limit 10
) as worst
order by worst.amount desc, worst.order_id;

-- name: stage_found
-- What one reconciliation finds, before it is compared with the findings known.
create temporary table found_differences (
    kind text not null,
    subject text not null,
    order_id bigint,
    invoice_ref text,
    day date not null,
    expected numeric,
    actual numeric,
    currency text not null,
    expected_currency text,
    detail text not null,
    documents jsonb not null,
    primary key (kind, subject)
) on commit drop;

-- name: stage_lines
-- Where the rows of a further export of a statement wait to be compared with what is stored; gone with the transaction.
create temporary table staged_settlement_lines (like backmarket.settlement_lines) on commit drop;

-- name: stage_scope
-- The orders that one reconciliation looks at.
create temporary table settlement_scope (order_id bigint primary key) on commit drop;

-- name: sum_days
-- Add up the rows of these days, for reports and charts, once their former sums are deleted.
-- :account, :everything, :days
insert into backmarket.settlement_day_sums (account, day, currency, category, invoice_key, amount, lines)
select account, value_date, currency, category, invoice_key, sum(amount), count(*)
from backmarket.settlement_lines
where account = %(account)s and not vanished and (%(everything)s or value_date = any(%(days)s::date []))
group by account, value_date, currency, category, invoice_key;

-- name: take_stale_covers
-- What statements cover newly, or no longer; taken here, as stale days are. A day beyond 9999, which a statement of an
-- older version covered, is none that Python has.
-- :account
delete from backmarket.settlement_stale_covers
where account = %(account)s
returning greatest(first_day, date '0001-01-01') as first_day, least(end_day, date '9999-12-31') as end_day;

-- name: take_stale_days
-- The days that newly stored rows belong to; taken here, so that the same transaction has to look at them.
-- :account
delete from backmarket.settlement_stale_days
where account = %(account)s
returning day;

-- name: take_stale_orders
-- Look at the orders that were written; taken here, as stale days are.
-- :account
with taken as (
    delete from backmarket.settlement_stale_orders
    where account = %(account)s
    returning order_id
)

insert into settlement_scope (order_id)
select distinct order_id
from taken;

-- name: take_stale_statements
-- The statements to be added up; taken here, so that the same transaction has to do it.
-- :account
delete from backmarket.settlement_stale_statements
where account = %(account)s
returning invoice_ref;

-- name: tie_lines
-- Tie the rows that name these to their orders; answers the days of those rows.
-- :account, :numbers, :parcels, :order_ids, :tied_bys (as long as each other; a null number where a parcel is named)
update backmarket.settlement_lines as line
set order_id = found.order_id, tied_by = found.tied_by
from
    unnest(%(numbers)s::bigint [], %(parcels)s::text [], %(order_ids)s::bigint [], %(tied_bys)s::text [])
    as found (number, parcel, order_id, tied_by)
where
    line.account = %(account)s
    and line.tied_by is null
    and coalesce(line.number::text, 'parcel ' || line.tracking_number)
    = coalesce(found.number::text, 'parcel ' || found.parcel)
returning line.value_date;

-- name: upsert_content
-- Remember from which content the rows of a statement in some currencies were loaded.
-- :account, :invoice_ref, :currencies, :sha256
update backmarket.settlement_statements
set contents = array_append(contents, %(sha256)s)
where
    account = %(account)s
    and invoice_ref = %(invoice_ref)s
    and currency = any(%(currencies)s)
    and not %(sha256)s = any(contents);

-- name: upsert_file
-- Remember that a file has been read.
-- :account, :path, :size, :modified_at, :sha256, :invoice_ref, :line_count
insert into backmarket.settlement_files (account, path, size, modified_at, sha256, invoice_ref, line_count)
values (
    %(account)s, %(path)s, %(size)s, %(modified_at)s, %(sha256)s, %(invoice_ref)s, %(line_count)s
)
on conflict (account, path) do update set
    size = excluded.size,
    modified_at = excluded.modified_at,
    sha256 = excluded.sha256,
    invoice_ref = excluded.invoice_ref,
    line_count = excluded.line_count,
    loaded_at = excluded.loaded_at;

-- name: upsert_statement
-- What the newest export of a statement says of itself, for one currency.
-- :account, :invoice_ref, :currency, :file_name, :sha256, :exported_at, :issued_on, :first_day, :last_day (of what it
-- covers; null: nothing), :line_count, :total
insert into backmarket.settlement_statements (
    account, invoice_ref, currency, file_name, sha256, exported_at, issued_on, covers, line_count, total
)
values (
    %(account)s, %(invoice_ref)s, %(currency)s, %(file_name)s, %(sha256)s, %(exported_at)s, %(issued_on)s,
    case
        when %(first_day)s::date is null then 'empty'
        else daterange(%(first_day)s::date, %(last_day)s::date, '[]')
    end,
    %(line_count)s, %(total)s
)
on conflict (account, invoice_ref, currency) do update set
    file_name = excluded.file_name,
    sha256 = excluded.sha256,
    exported_at = excluded.exported_at,
    covers = excluded.covers,
    line_count = excluded.line_count,
    total = excluded.total,
    loaded_at = excluded.loaded_at;
