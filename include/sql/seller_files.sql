-- name: adopt_copy
-- Note that a file is the one that says what a file of the same content has said.
-- :account, :target, :path, :original (the path of that file)
update backmarket.seller_file_rows
set path = %(path)s
where account = %(account)s and target = %(target)s and path = %(original)s;

-- name: adopt_rows
-- Note that a file is the one that says these rows now.
-- :account, :target, :path; {key} makes one text of the key's columns
insert into backmarket.seller_file_rows as known (account, target, key, path)
select distinct %(account)s, %(target)s, {key}, %(path)s
from staged_seller_rows
on conflict (account, target, key) do update set path = excluded.path
where known.path is distinct from excluded.path;

-- name: count_gone_rows
-- How many rows the file takes away, of how many.
-- :account; {stored}, {is_full}
select
    (select count(*) from gone_seller_rows) as gone,
    (select count(*) from {stored} where account::text = %(account)s and {is_full}) as known;

-- name: count_run
-- What came of the files that a run has read; a file that is not in the inbox any more has no bad rows.
-- :account, :run_id
select
    count(*) filter (where status = 'loaded') as loaded,
    coalesce(sum(new_rows), 0) as new_rows,
    coalesce(sum(changed_rows), 0) as changed_rows,
    coalesce(sum(gone_rows), 0) as gone_rows,
    coalesce(sum(rejected) filter (where gone_at is null), 0) as rejected
from backmarket.seller_files
where account = %(account)s and run_id = %(run_id)s;

-- name: delete_rows
-- Take away what the file says otherwise, or no longer says.
-- :account; {table}, {is_own}, {table_key}, {differing}
delete from {table}
where {is_own} and {table_key} in (select differing.key from {differing} as differing);

-- name: drop_older
-- Drop rows about what a newer file has said.
-- :account, :target, :path, :stored_at; {key}
delete from staged_seller_rows
where {key} in (
    select known.key
    from backmarket.seller_file_rows as known
    inner join backmarket.seller_files as file on known.account = file.account and known.path = file.path
    where
        known.account = %(account)s and known.target = %(target)s and known.path <> %(path)s
        and file.loaded_of > %(stored_at)s
);

-- name: drop_twins
-- Of rows that are alike one is enough.
-- {columns}
delete from staged_seller_rows as twin
using (
    select row_no, row_number() over (partition by {columns} order by row_no) as place
    from staged_seller_rows
) as numbered
where numbered.row_no = twin.row_no and numbered.place > 1;

-- name: find_doubles
-- Rows that say different things under one key: which of them is meant is not guessed.
-- {key}
delete from staged_seller_rows
where {key} in (select {key} from staged_seller_rows group by 1 having count(*) > 1)
returning row_no;

-- name: forget_rows
-- Forget which file said the rows that have gone.
-- :account, :target
delete from backmarket.seller_file_rows
where account = %(account)s and target = %(target)s and key in (select gone.key from gone_seller_rows as gone);

-- name: insert_rows
-- Store what is new or said otherwise.
-- {table}, {table_columns}, {is_of_table}, {key}
insert into {table} ({table_columns})
select {table_columns}
from staged_seller_rows
where {is_of_table} and {key} in (select differing.key from differing_seller_rows as differing);

-- name: kind_of_table
-- What a seller table is: r or p for a table, v for a view; no row where it is missing.
-- :schema, :name
select relation.relkind::text
from pg_catalog.pg_class as relation
inner join pg_catalog.pg_namespace as namespace on relation.relnamespace = namespace.oid
where namespace.nspname = %(schema)s and relation.relname = %(name)s;

-- name: release_files
-- What was said of files that are not in the inbox any more is said no longer.
-- :account, :entity, :paths (those that are gone)
with gone as (
    update backmarket.seller_files
    set gone_at = now()
    where account = %(account)s and path = any(%(paths)s::text [])
    returning path
)

delete from backmarket.quarantine
where account = %(account)s and entity in (select %(entity)s || ' ' || gone.path from gone);

-- name: select_differences
-- How many keys are new, said otherwise and unchanged.
-- {key}
select
    count(*) filter (where differing.key is not null and known.key is null) as new,
    count(*) filter (where differing.key is not null and known.key is not null) as changed,
    count(*) filter (where differing.key is null) as unchanged
from (select distinct {key} as key from staged_seller_rows) as given
left join differing_seller_rows as differing on given.key = differing.key
left join known_seller_keys as known on given.key = known.key;

-- name: select_files
-- The files read so far.
-- :account
select path, size, modified_at, status, gone_at is not null as is_gone, is_settled, read_at
from backmarket.seller_files
where account = %(account)s;

-- name: select_known_content
-- The file that was loaded last for a table, where it had this content and all of its rows could be used.
-- :account, :target, :sha256
select newest.path, newest.loaded_of
from (
    select path, loaded_of, sha256, rejected
    from backmarket.seller_files
    where account = %(account)s and target = %(target)s and status = 'loaded'
    order by read_at desc
    limit 1
) as newest
where newest.sha256 = %(sha256)s and newest.rejected = 0;

-- name: select_newer_file
-- The newest other file that is loaded for a table, where it is newer than this one; no row where it is not.
-- :account, :target, :path, :stored_at
select path
from backmarket.seller_files
where account = %(account)s and target = %(target)s and path <> %(path)s and loaded_of > %(stored_at)s
order by loaded_of desc
limit 1;

-- name: select_other_account
-- Another account whose table this very file has filled, and in whose inbox it still lies; no row where there is none.
-- :account, :target, :path, :sha256
select account
from backmarket.seller_files
where
    account <> %(account)s and target = %(target)s and path = %(path)s and sha256 = %(sha256)s
    and status = 'loaded' and gone_at is null
order by account
limit 1;

-- name: stage_differences
-- The keys whose rows the file says otherwise than they are stored, or that are not stored yet.
-- :account; {stored}, {key}, {columns}
create temporary table differing_seller_rows on commit drop as
select distinct found.key
from (
    (
        select {key} as key, {columns} from staged_seller_rows
        except all
        select {key} as key, {columns} from {stored} where account::text = %(account)s
    )
    union all
    (
        select {key} as key, {columns} from {stored}
        where account::text = %(account)s and {key} in (select {key} from staged_seller_rows)
        except all
        select {key} as key, {columns} from staged_seller_rows
    )
) as found;

-- name: stage_gone_of_file
-- The keys that an earlier version of the file said and this one does not.
-- :account, :target, :path, :rejected_keys; {key}
create temporary table gone_seller_rows on commit drop as
select known.key
from backmarket.seller_file_rows as known
where known.account = %(account)s and known.target = %(target)s and known.path = %(path)s
except
select {key} from staged_seller_rows
except
select rejected.key from unnest(%(rejected_keys)s::text []) as rejected (key);

-- name: stage_gone_of_none
-- No keys: what files have said of this table stays.
create temporary table gone_seller_rows on commit drop as
select '' as key
where false;

-- name: stage_gone_of_snapshot
-- The keys that are stored and that a file which says everything does not say.
-- :account, :rejected_keys; {stored}, {key}, {is_full}
create temporary table gone_seller_rows on commit drop as
select {key} as key from {stored} where account::text = %(account)s and {is_full}
except
select {key} from staged_seller_rows
except
select rejected.key from unnest(%(rejected_keys)s::text []) as rejected (key);

-- name: stage_known_keys
-- The keys that are stored.
-- :account; {stored}, {key}
create temporary table known_seller_keys on commit drop as
select distinct {key} as key from {stored} where account::text = %(account)s;

-- name: stage_rows
-- A place for the rows of a file, as the table that they go to has them.
-- {columns}, {stored}
create temporary table staged_seller_rows on commit drop as
select {columns}, null::integer as row_no from {stored} limit 0;

-- name: upsert_file
-- Remember a file as it was read.
-- :account, :path, :target, :size, :modified_at, :stored_at, :sha256, :status, :reason, :row_count, :rejected, :new_rows,
-- :changed_rows, :gone_rows, :is_settled, :run_id
insert into backmarket.seller_files as stored (
    account, path, target, size, modified_at, sha256, status, reason, row_count, rejected, new_rows, changed_rows,
    gone_rows, is_settled, run_id, loaded_of
)
values (
    %(account)s, %(path)s, %(target)s, %(size)s, %(modified_at)s, %(sha256)s, %(status)s, %(reason)s, %(row_count)s,
    %(rejected)s, %(new_rows)s, %(changed_rows)s, %(gone_rows)s, %(is_settled)s, %(run_id)s,
    case when %(status)s = 'loaded' then %(stored_at)s::timestamptz end
)
on conflict (account, path) do update set
    target = excluded.target,
    size = excluded.size,
    modified_at = excluded.modified_at,
    sha256 = excluded.sha256,
    status = excluded.status,
    reason = excluded.reason,
    row_count = excluded.row_count,
    rejected = excluded.rejected,
    new_rows = excluded.new_rows,
    changed_rows = excluded.changed_rows,
    gone_rows = excluded.gone_rows,
    is_settled = excluded.is_settled,
    run_id = excluded.run_id,
    loaded_of = coalesce(excluded.loaded_of, stored.loaded_of),
    -- One that is read again as it was, and still not loaded, was first seen when it was read first.
    read_at = case
        when
            excluded.status in ('refused', 'held')
            and (stored.size, stored.modified_at) = (excluded.size, excluded.modified_at)
            then stored.read_at
        else now()
    end,
    gone_at = null;

-- name: zero_stock
-- What a stock file no longer counts is not there any more.
-- :account, :counted_at; {table}, {table_key}
update {table}
set quantity = 0, counted_at = greatest(counted_at, %(counted_at)s), orders_known_until = null
where account = %(account)s and {table_key} in (select gone.key from gone_seller_rows as gone);
