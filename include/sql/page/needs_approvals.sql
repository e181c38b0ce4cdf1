-- Moves of prices that a person has to approve before they are sent, the longest waiting first.
-- :account, :kinds, :since, :most
select
    'sku' as story,
    subject,
    concat(
        market, ' · ', payload ->> 'old_price', ' → ', payload ->> 'price', ' ', payload ->> 'currency', ' (',
        to_char(
            ((payload ->> 'price')::numeric / nullif((payload ->> 'old_price')::numeric, 0) - 1) * 100, 'FMSG999990.0'
        ),
        ' %%)'
    ) as detail,
    planned_at as since,
    concat_ws('/', market, subject) as topic,
    count(*) over () as total
from backmarket.changes
where account = %(account)s and status = 'awaiting_approval' and kind = any(%(kinds)s) and planned_at >= %(since)s
order by planned_at
limit %(most)s
