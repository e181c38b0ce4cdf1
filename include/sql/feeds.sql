-- name: clear_unreadable
-- A table that could not be read at all was read: how good its rows are, judging them tells.
-- :account, :feed
update backmarket.feeds
set unusable_since = null, judged_at = now()
where account = %(account)s and feed = %(feed)s and row_count is null and unusable_since is not null;

-- name: count_rows
-- How many rows one of the seller's tables has for an account.
-- {table}, :account
select count(*) from {table} where account::text = %(account)s;

-- name: count_by_account
-- How many rows one of the seller's tables has for each account.
-- {table}
select coalesce(account::text, ''), count(*) from {table} group by 1 order by 1;

-- name: delete_unclaimed
-- Make room for what is told of rows that nobody reads; those of these names keep their first moment.
-- :account, :feeds, :given (as long as each other)
delete from backmarket.unclaimed_rows as told
where
    told.account = %(account)s
    and not exists (
        select 1
        from unnest(%(feeds)s::text [], %(given)s::text []) as standing (feed, given)
        where standing.feed = told.feed and standing.given = told.given
    );

-- name: select_unusable
-- Those of these tables that cannot be used, by the newest reading.
-- :account, :feeds
select feed, row_count, left_out, reasons
from backmarket.feeds
where account = %(account)s and feed = any(%(feeds)s) and unusable_since is not null
order by feed;

-- name: upsert_feed
-- What a reading found of a table; one that still cannot be used keeps the moment since when.
-- :account, :feed, :row_count, :left_out, :reasons, :is_unusable, :run_id
insert into backmarket.feeds as known (account, feed, row_count, left_out, reasons, unusable_since, run_id)
values (
    %(account)s, %(feed)s, %(row_count)s, %(left_out)s, %(reasons)s, case when %(is_unusable)s then now() end, %(run_id)s
)
on conflict (account, feed) do update set
    row_count = excluded.row_count,
    left_out = excluded.left_out,
    reasons = excluded.reasons,
    unusable_since = case
        when excluded.unusable_since is not null then coalesce(known.unusable_since, excluded.unusable_since)
    end,
    run_id = excluded.run_id,
    judged_at = excluded.judged_at;

-- name: upsert_unclaimed
-- Rows of an account that nobody runs.
-- :account, :feeds, :given, :row_counts (as long as each other)
insert into backmarket.unclaimed_rows (account, feed, given, row_count)
select %(account)s, standing.feed, standing.given, standing.row_count
from unnest(%(feeds)s::text [], %(given)s::text [], %(row_counts)s::bigint []) as standing (feed, given, row_count)
on conflict (account, feed, given) do update set row_count = excluded.row_count;
