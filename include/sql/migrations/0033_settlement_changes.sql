-- What a run of backmarket_settlements looks at follows what has changed: those who change something leave a mark.

create table backmarket.settlement_comparisons (
    account text primary key,
    rules text not null,
    compared_at timestamptz not null default now()
);

comment on table backmarket.settlement_comparisons is
'The accounts whose changes are marked: those compared in the last 30 days.';
comment on column backmarket.settlement_comparisons.rules is
'By which rules, limits and schema all findings were computed. Empty: they were not since changes are marked.';

-- Without keys, as settlement_stale_days: who leaves a mark never waits for who takes it.
create table backmarket.settlement_stale_orders (
    account text not null,
    order_id bigint not null
);
create index settlement_stale_orders_by_account on backmarket.settlement_stale_orders (account);

comment on table backmarket.settlement_stale_orders is
'Orders that were written and that no comparison with statements has looked at since.';

create table backmarket.settlement_stale_statements (
    account text not null,
    invoice_ref text not null
);
create index settlement_stale_statements_by_account on backmarket.settlement_stale_statements (account);

comment on table backmarket.settlement_stale_statements is
'Statements whose rows were not added up since they changed, or did not make the total of their file.';
-- As periods: a mistyped year covers centuries.
create table backmarket.settlement_stale_covers (
    account text not null,
    first_day date not null,
    end_day date not null
);
create index settlement_stale_covers_by_account on backmarket.settlement_stale_covers (account);

comment on table backmarket.settlement_stale_covers is
'What statements cover newly, or no longer, up to before end_day, and no comparison has looked at since.';

insert into backmarket.settlement_stale_statements (account, invoice_ref)
select distinct account, invoice_ref
from backmarket.settlement_statements;

-- A day more than the comparison reckons with, so that no order is left out between the two.
create function backmarket.mark_stale_orders() returns trigger
language plpgsql
as $$
begin
    insert into backmarket.settlement_stale_orders (account, order_id)
    select distinct account, order_id
    from written
    inner join backmarket.settlement_comparisons using (account)
    where compared_at > now() - interval '31 days';
    return null;
end
$$;

-- An order without lines expects nothing: those that are new are marked by their lines.
create trigger orders_updated after update on backmarket.orders
referencing new table as written for each statement execute function backmarket.mark_stale_orders();
create trigger order_lines_inserted after insert on backmarket.order_lines
referencing new table as written for each statement execute function backmarket.mark_stale_orders();
create trigger order_lines_updated after update on backmarket.order_lines
referencing new table as written for each statement execute function backmarket.mark_stale_orders();
create trigger order_lines_taken after update on backmarket.order_lines
referencing old table as written for each statement execute function backmarket.mark_stale_orders();
create trigger order_lines_deleted after delete on backmarket.order_lines
referencing old table as written for each statement execute function backmarket.mark_stale_orders();

create function backmarket.mark_covered_days() returns trigger
language plpgsql
as $$
begin
    insert into backmarket.settlement_stale_statements (account, invoice_ref)
    values (coalesce(new.account, old.account), coalesce(new.invoice_ref, old.invoice_ref));
    -- A statement without rows covers nothing.
    if (old.covers, old.line_count > 0) is distinct from (new.covers, new.line_count > 0) then
        insert into backmarket.settlement_stale_covers (account, first_day, end_day)
        select account, lower(covers), upper(covers)
        from (values (old.account, old.covers), (new.account, new.covers)) as statement (account, covers)
        where covers is not null;
    end if;
    return null;
end
$$;

create trigger settlement_statements_changed after insert or update or delete on backmarket.settlement_statements
for each row execute function backmarket.mark_covered_days();

-- Rows are loaded by COPY, which marks their days itself.
create function backmarket.mark_changed_lines() returns trigger
language plpgsql
as $$
begin
    insert into backmarket.settlement_stale_statements (account, invoice_ref)
    select distinct account, invoice_ref
    from changed;
    if tg_op = 'DELETE' then
        insert into backmarket.settlement_stale_days (account, day)
        select distinct account, value_date
        from changed;
        insert into backmarket.settlement_stale_orders (account, order_id)
        select distinct account, order_id
        from changed
        where order_id is not null;
    end if;
    return null;
end
$$;

create trigger settlement_lines_updated after update on backmarket.settlement_lines
referencing old table as changed for each statement execute function backmarket.mark_changed_lines();
create trigger settlement_lines_deleted after delete on backmarket.settlement_lines
referencing old table as changed for each statement execute function backmarket.mark_changed_lines();

-- What reports and charts show of a day, however many rows it has.
create table backmarket.settlement_day_sums (
    account text not null,
    day date not null,
    currency text not null,
    category text not null,
    invoice_key text not null,
    amount numeric not null,
    lines bigint not null,
    primary key (account, day, currency, category, invoice_key)
);

comment on table backmarket.settlement_day_sums is
'What the rows of a day came to when statements were last compared with orders: settlement_daily_totals adds up anew.';

insert into backmarket.settlement_day_sums (account, day, currency, category, invoice_key, amount, lines)
select account, value_date, currency, category, invoice_key, sum(amount), count(*)
from backmarket.settlement_lines
where not vanished
group by account, value_date, currency, category, invoice_key;

-- What became due is looked for by the days of orders.
create index orders_by_change on backmarket.orders (account, coalesce(date_modification, read_at));
create index settlement_lines_payouts on backmarket.settlement_lines (account)
where role in ('retained', 'released') and not vanished;
create index settlement_lines_orphans on backmarket.settlement_lines (account)
where tied_by is null and not vanished and role in ('sale', 'fee', 'fee_credit', 'refund');
create index settlement_findings_open on backmarket.settlement_findings (account, kind) where status = 'open';
-- The newest rows are found by their day before the next vacuum, too.
alter index backmarket.settlement_lines_by_day set (autosummarize = on);
