-- What was planned earlier, never sent, and is wanted no more; and what was refused here and is refused no more, which
-- keeps its reason.
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
    )
