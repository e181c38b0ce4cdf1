-- What was planned earlier, never sent, and is wanted no more.
-- :account, :kind
update backmarket.changes as change
set status = 'superseded', reason = 'a newer plan no longer contains it'
where
    change.account = %(account)s
    and change.kind = %(kind)s
    and change.status in ('planned', 'awaiting_approval', 'dry_run')
    and not exists (
        select 1
        from staged_plan as wanted
        where
            wanted.subject = change.subject and wanted.market = change.market
            and wanted.status in ('planned', 'awaiting_approval', 'dry_run')
    )
