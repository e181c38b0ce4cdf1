-- How much of each of the seller's tables could be used when it was last read, so that one that cannot is told first.

create table backmarket.feeds (
    account text not null,
    feed text not null,
    row_count bigint,
    left_out bigint not null,
    reasons text [] not null default '{}',
    unusable_since timestamptz,
    run_id text,
    judged_at timestamptz not null default now(),
    primary key (account, feed)
);

comment on table backmarket.feeds is
'The seller''s tables as the newest reading found them: how many rows, and how many of them cannot be used.';
comment on column backmarket.feeds.row_count is 'Null where the table, or the view in its place, could not be read.';
comment on column backmarket.feeds.reasons is 'The first rows that cannot be used, each with its reason.';
comment on column backmarket.feeds.unusable_since is
'Since when the table as a whole counts as unusable (backmarket_seller_rows_limit_pct); null: it can be used.';

-- Rows of the seller's tables whose account nobody runs, most likely misspelt: no task would ever read them.
create table backmarket.unclaimed_rows (
    account text not null,
    feed text not null,
    given text not null,
    row_count bigint not null,
    first_seen_at timestamptz not null default now(),
    primary key (account, feed, given)
);

comment on column backmarket.unclaimed_rows.account is 'The account that is most likely meant.';
comment on column backmarket.unclaimed_rows.given is 'What stands in the column account; empty where it is null.';

alter table backmarket.inventory_findings drop constraint inventory_findings_kind_check;
alter table backmarket.inventory_findings add constraint inventory_findings_kind_check check (
    kind in (
        'stock_missing', 'stock_stale', 'stock_without_listing', 'price_without_listing', 'count_below_zero',
        'count_in_future', 'promised_too_much', 'sold_below_zero', 'sku_ambiguous', 'held_by_zero_guard',
        'quantity_changed_outside', 'price_changed_outside'
    )
);
