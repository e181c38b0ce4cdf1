-- name: purge_backbox_history
-- Delete where listings stood in the competition so many days ago, but not the last of each market, which still holds.
-- :account, :days
delete from backmarket.backbox_history as history
where
    history.account = %(account)s
    and history.read_at < now() - make_interval(days => %(days)s)
    and exists (
        select 1
        from backmarket.backbox_history as newer
        where
            newer.account = history.account and newer.id = history.id and newer.market = history.market
            and newer.read_at > history.read_at
    );

-- name: purge_backbox_requests
-- Delete how many requests were made in hours of so many days ago, and never those of this hour.
-- :account, :days
delete from backmarket.backbox_requests
where account = %(account)s and hour < date_trunc('hour', now()) - make_interval(days => %(days)s);

-- name: purge_changes
-- Delete changes that ended so many days ago; answers how many.
-- :account, :days, :moves_kept (for how long moves of repricing stay; null: all of them do)
--
-- The newest of its subject, status and whether it was sent stays: what was sent last, what was refused last and why,
-- and that something newer took a refusal's place. So do all of these, however many there are of a subject:
-- * what is not over; the ledger itself forbids to delete what may be under way;
-- * acceptances, whose first confirmation says from when on a count may know of a sale;
-- * creations and their refusals, of which any may hold again for a row of seller.catalog;
-- * IMEIs and serial numbers that were sent: what says that a device was sold before;
-- * moves of prices by which repricing still counts and rests;
-- * refunds and invoices that were sent: none is sent twice, however long its row or its file stays.
-- A row that a plan is working on is left to the next time, so that neither waits for the other.
with ended as (
    select change.account, change.change_id
    from backmarket.changes as change
    where
        change.account = %(account)s
        and change.status in ('confirmed', 'refused', 'superseded')
        and greatest(change.planned_at, change.sent_at, change.confirmed_at) < now() - make_interval(days => %(days)s)
        and not (change.kind = 'accept' and change.status = 'confirmed')
        and not (change.kind in ('listing', 'product') and change.attempts > 0)
        and not (change.payload ?| array['imei', 'serial_number'] and change.attempts > 0)
        and not (
            change.kind = 'price' and change.payload ? 'why' and change.attempts > 0
            and change.sent_at > coalesce(now() - %(moves_kept)s::interval, '-infinity')
        )
        and not (change.kind in ('refund', 'invoice') and change.attempts > 0)
        and exists (
            select 1
            from backmarket.changes as newer
            where
                newer.account = change.account and newer.kind = change.kind and newer.subject = change.subject
                and newer.market = change.market and newer.change_id > change.change_id
                and newer.status = change.status and (newer.attempts > 0) = (change.attempts > 0)
        )
    for update of change skip locked
)

delete from backmarket.changes as change
using ended
where change.account = ended.account and change.change_id = ended.change_id;

-- name: purge_closed_findings
-- Delete settlement findings that closed so many days ago; found again, they open as new ones do.
-- :account, :days
delete from backmarket.settlement_findings
where account = %(account)s and status = 'closed' and closed_at < now() - make_interval(days => %(days)s);

-- name: purge_finding_history
-- Delete what is older of the history of settlement findings, but not the last word on one that stays; and all of those
-- that purge_closed_findings deletes next, in the same transaction.
-- :account, :days
delete from backmarket.settlement_finding_history as history
using backmarket.settlement_findings as finding
where
    history.account = %(account)s
    and finding.account = history.account and finding.kind = history.kind and finding.subject = history.subject
    and (
        (finding.status = 'closed' and finding.closed_at < now() - make_interval(days => %(days)s))
        or (
            history.changed_at < now() - make_interval(days => %(days)s)
            and exists (
                select 1
                from backmarket.settlement_finding_history as newer
                where
                    newer.account = history.account and newer.kind = history.kind
                    and newer.subject = history.subject and newer.changed_at > history.changed_at
            )
        )
    );

-- name: purge_need_marks
-- Delete what people did so many days ago about things that waited, but not the last word on each, which still holds.
-- :account, :days
delete from backmarket.need_marks as mark
where
    mark.account = %(account)s
    and mark.marked_at < now() - make_interval(days => %(days)s)
    and exists (
        select 1
        from backmarket.need_marks as newer
        where
            newer.account = mark.account and newer.need = mark.need and newer.topic = mark.topic
            and newer.mark_id > mark.mark_id
    );

-- name: purge_offer_history
-- Delete what offers showed so many days ago, but not the last of each, with which the next reading is compared, nor
-- the last with a price: a move is measured from it while the offer shows none.
-- :account, :days
delete from backmarket.listing_offer_history as history
where
    history.account = %(account)s
    and history.changed_at < now() - make_interval(days => %(days)s)
    and exists (
        select 1
        from backmarket.listing_offer_history as newer
        where
            newer.account = history.account and newer.id = history.id and newer.market = history.market
            and newer.changed_at > history.changed_at
            and (newer.price > 0 or (history.price > 0) is not true)
    );

-- name: purge_price_decisions
-- Delete what people decided about moves of prices so many days ago, where it holds no more; open questions stay.
-- :account, :days, :decision_days
delete from backmarket.price_approvals
where
    account = %(account)s
    and status <> 'asked'
    and decided_at < now() - make_interval(days => greatest(%(days)s::integer, %(decision_days)s::integer));

-- name: purge_settlement_reports
-- Delete settlement reports that are so many days old, but not the newest, which says when settlements last succeeded.
-- :account, :days
delete from backmarket.settlement_reports
where
    account = %(account)s
    and created_at < now() - make_interval(days => %(days)s)
    and created_at < (
        select max(newest.created_at) from backmarket.settlement_reports as newest where newest.account = %(account)s
    );
