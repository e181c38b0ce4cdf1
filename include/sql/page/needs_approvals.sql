-- Changes that a person has to approve before they are sent.
-- :account, :kinds, :since, :most
select
    'sku' as story,
    subject,
    concat_ws(' ', kind, nullif(market, ''), '·', reason) as detail,
    planned_at as since,
    count(*) over () as total
from backmarket.changes
where account = %(account)s and status = 'awaiting_approval' and kind = any(%(kinds)s) and planned_at >= %(since)s
order by planned_at
limit %(most)s
