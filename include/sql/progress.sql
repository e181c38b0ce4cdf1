-- name: delete_progress
-- The load has ended. What a killed one leaves is no longer shown after a minute, and goes with the next of its kind.
-- :account, :task, :part
delete from backmarket.progress
where account = %(account)s and task = %(task)s and part = %(part)s;

-- name: upsert_progress
-- How far a load is now.
-- :account, :task, :part, :thing, :done, :total, :seconds since it began, :run_id
insert into backmarket.progress (account, task, part, thing, done, total, started_at, updated_at, run_id)
values (
    %(account)s, %(task)s, %(part)s, %(thing)s, %(done)s, %(total)s, now() - make_interval(secs => %(seconds)s), now(),
    %(run_id)s
)
on conflict (account, task, part) do update set
    thing = excluded.thing,
    done = excluded.done,
    total = excluded.total,
    started_at = excluded.started_at,
    updated_at = excluded.updated_at,
    run_id = excluded.run_id;
