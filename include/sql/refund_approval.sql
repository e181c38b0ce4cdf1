-- name: decide
-- A person's decision about a refund, or that none came in time.
-- :account, :run_id, :orderline_id, :kind, :amount, :currency, :status, :decided_by
update backmarket.refund_approvals
set status = %(status)s, decided_at = clock_timestamp(), decided_by = %(decided_by)s
where
    account = %(account)s and run_id = %(run_id)s and status = 'asked'
    and orderline_id = %(orderline_id)s and kind = %(kind)s and amount = %(amount)s and currency = %(currency)s;

-- name: decide_waiting
-- A person's decision about a refund that waits, whether or not the form asks about it. No row: it waits no more, is
-- another refund now, or was decided already.
-- :account, :change_id, :amount, :status, :decided_by, :decided_since
insert into backmarket.refund_approvals as stored (
    account, orderline_id, order_id, kind, amount, currency, reason, status, run_id, decided_at, decided_by
)
select
    change.account, (change.payload ->> 'orderline_id')::bigint, (change.payload ->> 'order_id')::bigint,
    change.payload ->> 'refund', (change.payload ->> 'amount')::numeric, change.payload ->> 'currency',
    coalesce(change.reason, ''), %(status)s, coalesce(change.run_id, ''), clock_timestamp(), %(decided_by)s
from backmarket.changes as change
where
    change.account = %(account)s and change.change_id = %(change_id)s and change.kind = 'refund'
    and change.status = 'awaiting_approval'
    and (change.payload ->> 'amount')::numeric = %(amount)s::numeric
on conflict (account, orderline_id, kind, amount, currency) do update set
    status = excluded.status,
    decided_at = excluded.decided_at,
    decided_by = excluded.decided_by
where stored.status = 'asked' or stored.decided_at < %(decided_since)s
returning stored.run_id;

-- name: forget_decision
-- What was decided about exactly this refund holds no more: a person is asked again.
-- :account, :orderline_id, :kind, :amount, :currency
delete from backmarket.refund_approvals
where
    account = %(account)s and orderline_id = %(orderline_id)s and kind = %(kind)s and amount = %(amount)s::numeric
    and currency = %(currency)s;

-- name: forget_unanswered
-- Questions of runs that ended without an answer (deleted or killed): they are asked again.
-- :account, :run_id
delete from backmarket.refund_approvals
where account = %(account)s and status = 'asked' and run_id <> %(run_id)s;

-- name: insert_question
-- A person is asked about a refund; again, where what was decided about it no longer holds.
-- :account, :orderline_id, :order_id, :kind, :amount, :currency, :reason, :run_id
insert into backmarket.refund_approvals (
    account, orderline_id, order_id, kind, amount, currency, reason, status, run_id
)
values (
    %(account)s, %(orderline_id)s, %(order_id)s, %(kind)s, %(amount)s, %(currency)s, %(reason)s, 'asked', %(run_id)s
)
on conflict (account, orderline_id, kind, amount, currency) do update set
    reason = excluded.reason,
    status = excluded.status,
    run_id = excluded.run_id,
    asked_at = now(),
    decided_at = null,
    decided_by = null;

-- name: select_all_asked
-- What a run asked a person about, also what was decided elsewhere meanwhile.
-- :account, :run_id
select orderline_id, order_id, kind, amount, currency, reason
from backmarket.refund_approvals
where account = %(account)s and run_id = %(run_id)s
order by order_id, orderline_id, amount;

-- name: select_asked
-- What a run asked a person about and has no answer to.
-- :account, :run_id
select orderline_id, order_id, kind, amount, currency, reason
from backmarket.refund_approvals
where account = %(account)s and run_id = %(run_id)s and status = 'asked'
order by order_id, orderline_id, amount;

-- name: select_decisions
-- What people decided about refunds, and lately enough to hold.
-- :account, :decided_since
select orderline_id, kind, amount, currency, status, decided_by, decided_at
from backmarket.refund_approvals
where account = %(account)s and status <> 'asked' and decided_at >= %(decided_since)s;

-- name: select_unasked
-- Refunds that wait and that nobody was asked about, the longest waiting first. A question asked before :asked_before and
-- not answered does not count: its run is gone. What was decided before :decided_since no longer holds.
-- :account, :most, :asked_before, :decided_since
select
    (change.payload ->> 'orderline_id')::bigint as orderline_id,
    (change.payload ->> 'order_id')::bigint as order_id,
    change.payload ->> 'refund' as kind,
    (change.payload ->> 'amount')::numeric as amount,
    change.payload ->> 'currency' as currency,
    coalesce(change.reason, '') as reason
from backmarket.changes as change
where
    change.account = %(account)s and change.kind = 'refund' and change.status = 'awaiting_approval'
    and not exists (
        select 1
        from backmarket.refund_approvals as approval
        where
            approval.account = change.account
            and approval.orderline_id = (change.payload ->> 'orderline_id')::bigint
            and approval.kind = change.payload ->> 'refund'
            and approval.amount = (change.payload ->> 'amount')::numeric
            and approval.currency = change.payload ->> 'currency'
            and not (approval.status = 'asked' and approval.asked_at < %(asked_before)s)
            and not (approval.status <> 'asked' and approval.decided_at < %(decided_since)s)
    )
order by change.planned_at, change.change_id
limit %(most)s;
