-- Sent, waited for in vain, put back into the queue; and there is a listing after all.
-- :account, :kind
update backmarket.changes as change
set status = 'confirmed', reason = 'its listing appeared late', confirmed_at = clock_timestamp()
from backmarket.listings as listing
where
    change.account = %(account)s and change.kind = %(kind)s
    and change.status = 'planned' and change.attempts > 0
    and listing.account = change.account and backmarket.sku_key(listing.sku) = backmarket.sku_key(change.subject) and listing.gone_at is null
