-- name: forget_expired
-- Nobody decided in time about moves of these prices: they may be asked about again.
-- :account, :sku, :market
delete from backmarket.price_approvals
where account = %(account)s and sku = %(sku)s and market = %(market)s and status = 'expired';

-- name: forget_expired_refunds
-- Nobody decided in time about refunds of this line: they may be asked about again.
-- :account, :orderline_id
delete from backmarket.refund_approvals
where account = %(account)s and orderline_id::text = %(orderline_id)s and status = 'expired';

-- name: insert_mark
-- What a person did about a thing that waits.
-- :account, :need, :topic, :mark, :story, :subject, :detail, :comment, :marked_by
insert into backmarket.need_marks (account, need, topic, mark, story, subject, detail, comment, marked_by)
values (
    %(account)s, %(need)s, %(topic)s, %(mark)s, %(story)s, %(subject)s, %(detail)s, %(comment)s, %(marked_by)s
)
returning mark_id;

-- name: note_run
-- Which run a retry has started.
-- :account, :mark_ids, :run_path
update backmarket.need_marks
set run_path = %(run_path)s
where account = %(account)s and mark_id = any(%(mark_ids)s);

-- name: reopen
-- Take back what was done about things, where it still holds.
-- :account, :mark_ids, :marked_by
insert into backmarket.need_marks (account, need, topic, mark, story, subject, detail, marked_by)
select old.account, old.need, old.topic, 'reopened', old.story, old.subject, old.detail, %(marked_by)s
from backmarket.need_marks as old
where
    old.account = %(account)s and old.mark_id = any(%(mark_ids)s) and old.mark in ('resolved', 'ignored')
    and not exists (
        select 1
        from backmarket.need_marks as newer
        where
            newer.account = old.account and newer.need = old.need and newer.topic = old.topic
            and newer.mark_id > old.mark_id
    )
returning mark_id;

-- name: try_again
-- All refusals of a change end, so that the next plan is free to send the same.
-- :account, :kind, :subject, :market, :tried_again_by
update backmarket.changes
set
    status = 'superseded',
    tried_again_by = %(tried_again_by)s,
    reason = concat_ws(': ', 'tried again by ' || %(tried_again_by)s, reason)
where
    account = %(account)s and kind = %(kind)s and subject = %(subject)s and market = %(market)s
    and status = 'refused';
