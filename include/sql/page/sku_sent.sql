-- The quantity of a SKU that Back Market confirmed last.
-- :account, :skus
select payload ->> 'quantity' as quantity, confirmed_at
from backmarket.changes
where account = %(account)s and kind = 'quantity' and subject = any(%(skus)s) and status = 'confirmed'
order by change_id desc
limit 1
