-- name: decide
-- A person's decision about a move, or that none came in time.
-- :account, :run_id, :sku, :market, :old_price, :new_price, :status, :decided_by
update backmarket.price_approvals
set status = %(status)s, decided_at = clock_timestamp(), decided_by = %(decided_by)s
where
    account = %(account)s and run_id = %(run_id)s and status = 'asked'
    and sku = %(sku)s and market = %(market)s and old_price = %(old_price)s and new_price = %(new_price)s;

-- name: decide_waiting
-- A person's decision about a move that waits, whether or not the form asks about it. No row: it waits no more, is
-- another move now, or was decided already.
-- :account, :change_id, :old_price, :new_price, :status, :decided_by, :decided_since
insert into backmarket.price_approvals as stored (
    account, sku, market, old_price, new_price, currency, reason, status, run_id, decided_at, decided_by
)
select
    change.account, change.subject, change.market, nullif(change.payload ->> 'old_price', 'None')::numeric,
    (change.payload ->> 'price')::numeric, change.payload ->> 'currency', coalesce(change.reason, ''), %(status)s,
    coalesce(change.run_id, ''), clock_timestamp(), %(decided_by)s
from backmarket.changes as change
where
    change.account = %(account)s and change.change_id = %(change_id)s and change.status = 'awaiting_approval'
    and nullif(change.payload ->> 'old_price', 'None')::numeric = %(old_price)s::numeric
    and (change.payload ->> 'price')::numeric = %(new_price)s::numeric
on conflict (account, sku, market, old_price, new_price) do update set
    status = excluded.status,
    decided_at = excluded.decided_at,
    decided_by = excluded.decided_by
where stored.status = 'asked' or stored.decided_at < %(decided_since)s
returning stored.run_id;

-- name: forget_unanswered
-- Questions of runs that ended without an answer (deleted or killed): they are asked again.
-- :account, :run_id
delete from backmarket.price_approvals
where account = %(account)s and status = 'asked' and run_id <> %(run_id)s;

-- name: insert_question
-- A person is asked about a move; again, where what was decided about it no longer holds.
-- :account, :sku, :market, :old_price, :new_price, :currency, :reason, :run_id
insert into backmarket.price_approvals (
    account, sku, market, old_price, new_price, currency, reason, status, run_id
)
values (
    %(account)s, %(sku)s, %(market)s, %(old_price)s, %(new_price)s, %(currency)s, %(reason)s, 'asked', %(run_id)s
)
on conflict (account, sku, market, old_price, new_price) do update set
    currency = excluded.currency,
    reason = excluded.reason,
    status = excluded.status,
    run_id = excluded.run_id,
    asked_at = now(),
    decided_at = null,
    decided_by = null;

-- name: select_all_asked
-- What a run asked a person about, also what was decided elsewhere meanwhile.
-- :account, :run_id
select sku, market, old_price, new_price, currency, reason
from backmarket.price_approvals
where account = %(account)s and run_id = %(run_id)s
order by sku, market;

-- name: select_asked
-- What a run asked a person about and has no answer to, in the order of asking.
-- :account, :run_id
select sku, market, old_price, new_price, currency, reason
from backmarket.price_approvals
where account = %(account)s and run_id = %(run_id)s and status = 'asked'
order by sku, market;

-- name: select_decisions
-- What people decided about moves of prices in these markets, and lately enough to hold, the newest last.
-- :account, :markets, :decided_since
select sku, market, old_price, new_price, status, decided_by, decided_at
from backmarket.price_approvals
where
    account = %(account)s and market = any(%(markets)s) and status <> 'asked'
    and decided_at >= %(decided_since)s
order by decided_at;

-- name: select_unasked
-- Large moves that wait and that nobody was asked about, the longest waiting first. A question asked before
-- :asked_before and not answered does not count: its run is gone. What was decided before :decided_since no longer holds.
-- What was planned where no price was shown, which an earlier version wrote as None, is no move: the next plan drops it.
-- :account, :most, :asked_before, :decided_since
select
    change.subject,
    change.market,
    nullif(change.payload ->> 'old_price', 'None')::numeric as old_price,
    (change.payload ->> 'price')::numeric as new_price,
    change.payload ->> 'currency' as currency,
    change.reason
from backmarket.changes as change
where
    change.account = %(account)s and change.kind = 'price' and change.status = 'awaiting_approval'
    and nullif(change.payload ->> 'old_price', 'None') is not null
    and not exists (
        select 1
        from backmarket.price_approvals as approval
        where
            approval.account = change.account and approval.sku = change.subject
            and approval.market = change.market
            and approval.old_price = nullif(change.payload ->> 'old_price', 'None')::numeric
            and approval.new_price = (change.payload ->> 'price')::numeric
            and not (approval.status = 'asked' and approval.asked_at < %(asked_before)s)
            and not (approval.status <> 'asked' and approval.decided_at < %(decided_since)s)
    )
order by change.planned_at, change.change_id
limit %(most)s;
