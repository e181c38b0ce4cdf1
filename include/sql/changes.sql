-- name: copy_plan
-- One row per planned change.
copy staged_plan (position, subject, market, payload, status, reason) from stdin;

-- name: insert_refusals
-- Record what must not be sent, with its reasons; once, not in every run: a refusal equal to the newest row of its
-- subject is known already.
-- :account, :kind, :run_id
insert into backmarket.changes (account, kind, subject, market, payload, status, reason, run_id, refused_in)
select
    %(account)s, %(kind)s, refused.subject, refused.market, refused.payload, 'refused', refused.reason, %(run_id)s,
    nullif(current_setting('airflow.task', true), '')::jsonb
from staged_plan as refused
left join lateral (
    select payload, status, reason
    from backmarket.changes as change
    where
        change.account = %(account)s and change.kind = %(kind)s
        and change.subject = refused.subject and change.market = refused.market
    order by change_id desc
    limit 1
) as newest on true
where
    refused.status = 'refused'
    and (newest.status, newest.payload, newest.reason)
    is distinct from ('refused', refused.payload, refused.reason)
order by refused.position
returning subject, market, reason;

-- name: keep_waiting
-- Why what is planned could not be sent now.
-- :account, :change_ids, :reason
update backmarket.changes
set reason = %(reason)s
where account = %(account)s and change_id = any(%(change_ids)s) and status = 'planned';

-- name: lock_kind
-- Wait until no other process changes the same; the lock ends with the session, so also where the process is killed.
-- :account, :kind
select pg_advisory_lock(hashtextextended(concat_ws('/', 'changes', %(account)s::text, %(kind)s::text), 0));

-- name: lock_out_senders
-- Wait until no process is making a request that it has marked; none begins one until this transaction ends.
-- :account, :kind
select pg_advisory_xact_lock(hashtextextended(concat_ws('/', 'changes', %(account)s::text, %(kind)s::text), 0));

-- name: lock_rows
-- Wait until no other process plans or settles many of these: each locks its rows in an order of its own. The lock ends
-- with the transaction.
-- :account, :kind
select pg_advisory_xact_lock(hashtextextended(concat_ws('/', 'changes', %(account)s::text, %(kind)s::text, 'rows'), 0));

-- name: lock_sending
-- A request is about to be marked and made. Others may make theirs; the lock ends with the session, so also where the
-- process is killed.
-- :account, :kind
select pg_advisory_lock_shared(hashtextextended(concat_ws('/', 'changes', %(account)s::text, %(kind)s::text), 0));

-- name: mark_sent
-- Recorded before the request leaves; why it is wanted, where its payload says so, stays its reason. No row: another run has sent it, or it is no longer planned, or otherwise.
-- :account, :in_batch, :change_ids, :payloads (as long as each other)
update backmarket.changes as change
set
    status = 'sent',
    sent_at = clock_timestamp(),
    refused_until = null,
    attempts = attempts + 1,
    reason = change.payload ->> 'why',
    in_batch = %(in_batch)s,
    batch_id = null
from unnest(%(change_ids)s::bigint [], %(payloads)s::jsonb []) as wanted (change_id, payload)
where
    change.account = %(account)s
    and change.change_id = wanted.change_id
    and change.payload = wanted.payload
    and change.status = 'planned'
returning change.change_id;

-- name: note_answered
-- Back Market answered that these were done.
-- :account, :change_ids
update backmarket.changes
set answered_at = clock_timestamp()
where account = %(account)s and change_id = any(%(change_ids)s) and status in ('sent', 'unknown');

-- name: note_not_found
-- Back Market answered 404 for these: a refusal that this ends in holds only so long.
-- :account, :change_ids, :hold (an interval)
update backmarket.changes
set refused_until = clock_timestamp() + %(hold)s
where account = %(account)s and change_id = any(%(change_ids)s) and status = 'sent';

-- name: put_last
-- Why what is planned could not be sent now; it waits behind all others, in the order that it had.
-- :account, :change_ids, :reason
update backmarket.changes
set reason = %(reason)s, planned_at = clock_timestamp()
where account = %(account)s and change_id = any(%(change_ids)s) and status = 'planned';

-- name: record_batch
-- Back Market took the batch: from here on its task tells how these changes end.
-- :account, :change_ids, :batch_id
update backmarket.changes
set batch_id = %(batch_id)s
where account = %(account)s and change_id = any(%(change_ids)s) and status in ('sent', 'unknown');

-- name: refuse_unsent
-- Refused here, after it was marked and before its first request left: as if it had never been sent.
-- :account, :change_ids, :reason
update backmarket.changes
set
    status = 'refused',
    attempts = attempts - 1,
    reason = %(reason)s,
    refused_in = nullif(current_setting('airflow.task', true), '')::jsonb
where account = %(account)s and change_id = any(%(change_ids)s) and status = 'sent'
returning subject, market, reason;

-- name: renew_marks
-- Right before the request leaves. No row: it is no longer marked.
-- :account, :change_ids
update backmarket.changes
set sent_at = clock_timestamp()
where account = %(account)s and change_id = any(%(change_ids)s) and status = 'sent'
returning change_id;

-- name: select_failed_before
-- The subjects of what waits again after a request that failed, or whose answer was lost, and that was not applied.
-- :account, :kind
select subject
from backmarket.changes
where
    account = %(account)s and kind = %(kind)s and status = 'planned' and attempts > 0 and lost_at is not null;

-- name: select_not_found
-- What waits again because Back Market answered 404 for it in a run, as long as no newer plan has taken it.
-- :account, :kind, :run_id
select change_id
from backmarket.changes
where
    account = %(account)s and kind = %(kind)s and run_id = %(run_id)s
    and status = 'planned' and refused_until is not null;

-- name: select_planned
-- What is to be sent, the longest waiting first unless the plan gave another order.
-- :account, :kind
select change_id, subject, market, payload, attempts
from backmarket.changes
where account = %(account)s and kind = %(kind)s and status = 'planned'
order by planned_at, change_id;

-- name: select_refused
-- What Back Market itself refused lately, newest per subject: the same again would be refused again. What a listing
-- showed when its quantity or price was planned, and why it is wanted, was not sent. What it did not find may be there
-- by now.
-- :account, :kind, :since
select refused.subject, refused.market, refused.payload - '{shown,old_price,why}'::text []
from backmarket.changes as refused
where
    refused.account = %(account)s and refused.kind = %(kind)s
    and refused.status = 'refused' and refused.attempts > 0 and refused.sent_at > %(since)s
    and (refused.refused_until is null or refused.refused_until > clock_timestamp())
    and not exists (
        select 1
        from backmarket.changes as newer
        where
            newer.account = refused.account and newer.kind = refused.kind and newer.subject = refused.subject
            and newer.market = refused.market and newer.change_id > refused.change_id
            and newer.status not in ('superseded', 'planned', 'dry_run')
    )
order by refused.change_id;

-- name: select_unsettled
-- What was sent and may have been applied: a run was killed, or an answer was lost. An answer that was lost before that
-- was to an earlier request.
-- :account, :kind
select
    change_id, subject, market, payload, attempts, status, sent_at, batch_id, in_batch, answered_at is not null,
    case when lost_at > sent_at then lost_at end
from backmarket.changes
where account = %(account)s and kind = %(kind)s and status in ('sent', 'unknown')
order by change_id;

-- name: settle
-- How a change ended, or that its end is not known yet. Back to planned: it surely was not applied. What an asset tells
-- of is noted with it, to be announced.
-- :account, :kind, :change_ids, :status, :reason
with settled as (
    update backmarket.changes
    set
        status = %(status)s,
        reason = nullif(concat_ws('; ', payload ->> 'why', %(reason)s::text), ''),
        refused_in = case when %(status)s = 'refused' then nullif(current_setting('airflow.task', true), '')::jsonb end,
        confirmed_at = case when %(status)s = 'confirmed' then clock_timestamp() end,
        lost_at = case when %(status)s = 'unknown' and status = 'sent' then clock_timestamp() else lost_at end
    where account = %(account)s and change_id = any(%(change_ids)s) and status in ('sent', 'unknown')
    returning subject, market, reason
),

noted as (
    insert into backmarket.unannounced as open_note (account, thing, counts)
    select %(account)s, told.thing, jsonb_build_object('confirmed', count(*))
    from settled
    inner join (values ('tracking', 'shipments'), ('quantity', 'inventory')) as told (kind, thing)
        on told.kind = %(kind)s
    where %(status)s = 'confirmed'
    group by told.thing
    on conflict (account, thing) where run_id is null
    do update set counts = backmarket.added_counts(open_note.counts, excluded.counts)
)

select subject, market, reason from settled;

-- name: stage_plan
-- What one concern wants to change now, in the order in which it is to be sent.
create temporary table if not exists staged_plan (
    position bigint not null,
    subject text not null,
    market text not null,
    payload jsonb not null,
    status text not null,
    reason text
);

-- name: supersede_unsent
-- What was planned earlier, never sent, and is no longer wanted; and what was refused here and no longer is, which keeps
-- its reason.
-- :account, :kind
update backmarket.changes as change
set
    status = 'superseded',
    reason = case when change.status = 'refused' then change.reason else 'a newer plan no longer contains it' end
where
    change.account = %(account)s
    and change.kind = %(kind)s
    and (
        change.status in ('planned', 'awaiting_approval', 'dry_run')
        or (change.status = 'refused' and change.attempts = 0)
    )
    and not exists (
        select 1
        from staged_plan as wanted
        where
            wanted.subject = change.subject and wanted.market = change.market
            and (wanted.status = 'refused') = (change.status = 'refused')
    );

-- name: take_back
-- Not sent after all, or turned away unread: planned as if it had not been marked.
-- :account, :change_ids, :reason
update backmarket.changes
set status = 'planned', attempts = attempts - 1, reason = %(reason)s
where account = %(account)s and change_id = any(%(change_ids)s) and status = 'sent';

-- name: unlock_sending
-- The request is settled.
-- :account, :kind
select pg_advisory_unlock_shared(hashtextextended(concat_ws('/', 'changes', %(account)s::text, %(kind)s::text), 0));

-- name: upsert_plan
-- Record the plan. What waits already keeps its place in the queue and takes the new values; what is under way
-- (sent, unknown) is left alone until it is settled.
-- :account, :kind, :run_id
insert into backmarket.changes as waiting (account, kind, subject, market, payload, status, reason, run_id)
select %(account)s, %(kind)s, subject, market, payload, status, reason, %(run_id)s
from staged_plan
where status in ('planned', 'awaiting_approval', 'dry_run')
order by position
on conflict (account, kind, subject, market)
where status in ('planned', 'awaiting_approval', 'sent', 'unknown', 'dry_run')
do update set
    payload = excluded.payload,
    status = excluded.status,
    reason = excluded.reason,
    run_id = excluded.run_id
where
    waiting.status in ('planned', 'awaiting_approval', 'dry_run')
    and (waiting.payload, waiting.status, waiting.reason)
    is distinct from (excluded.payload, excluded.status, excluded.reason);
