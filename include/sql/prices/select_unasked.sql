-- Large moves that wait for a person and have not been put to one, the longest waiting first. A question that was put
-- before :asked_before and has no answer is none: its run is gone. What was decided before :decided_since holds no more.
-- :account, :most, :asked_before, :decided_since
select
    change.subject,
    change.market,
    (change.payload ->> 'old_price')::numeric as old_price,
    (change.payload ->> 'price')::numeric as new_price,
    change.payload ->> 'currency' as currency,
    change.reason
from backmarket.changes as change
where
    change.account = %(account)s and change.kind = 'price' and change.status = 'awaiting_approval'
    and not exists (
        select 1
        from backmarket.price_approvals as approval
        where
            approval.account = change.account and approval.sku = change.subject
            and approval.market = change.market
            and approval.old_price = (change.payload ->> 'old_price')::numeric
            and approval.new_price = (change.payload ->> 'price')::numeric
            and not (approval.status = 'asked' and approval.asked_at < %(asked_before)s)
            and not (approval.status <> 'asked' and approval.decided_at < %(decided_since)s)
    )
order by change.planned_at, change.change_id
limit %(most)s
