-- What the page and the alerts need to stay quick with hundreds of thousands of orders and changes.

create index orders_by_day on backmarket.orders (account, date_creation) include (country_code);
drop index backmarket.orders_by_creation;
create index orders_by_dispatch on backmarket.orders (account, expected_dispatch_date)
where state in (1, 3) and gone_at is null;

create index changes_by_run on backmarket.changes (account, kind, run_id, status);
create index changes_by_kind on backmarket.changes (account, kind, planned_at desc);
create index changes_by_confirmation on backmarket.changes (account, kind, confirmed_at) where confirmed_at is not null;
create index changes_by_day on backmarket.changes (account, sent_at) include (kind);
drop index backmarket.changes_by_time;
create index changes_refused on backmarket.changes (account, planned_at) where status = 'refused';
create index changes_to_approve on backmarket.changes (account, planned_at) where status = 'awaiting_approval';

create table backmarket.alerts (
    account text not null,
    subject text not null,
    told_at timestamptz not null,
    primary key (account, subject)
);

comment on table backmarket.alerts is
'What people were last alerted of, so that the same failure is not told again every few minutes.';
