-- Paid orders whose day of dispatch has passed, the longest overdue first.
-- :account, :kinds, :since, :most
select
    'order' as story,
    order_id::text as subject,
    concat_ws(' · ', country_code, case state when 1 then 'not accepted' else 'accepted, not shipped' end) as detail,
    expected_dispatch_date as since,
    order_id::text as topic,
    count(*) over () as total
from backmarket.orders
where
    account = %(account)s and state in (1, 3) and gone_at is null
    and expected_dispatch_date < now() and expected_dispatch_date >= %(since)s
order by expected_dispatch_date
limit %(most)s
