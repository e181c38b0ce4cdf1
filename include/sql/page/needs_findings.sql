-- Differences between statements and orders that are still open.
-- :account, :kinds, :since, :most
select
    case when order_id is null then '' else 'order' end as story,
    coalesce(order_id::text, invoice_ref, subject) as subject,
    concat(
        replace(kind, '_', ' '),
        case when expected is not null then ' · expected ' || expected || ' ' || currency end,
        case when actual is not null then ' · found ' || actual || ' ' || currency end
    ) as detail,
    opened_at as since,
    concat_ws('/', kind, subject) as topic,
    count(*) over () as total
from backmarket.settlement_findings
where account = %(account)s and status = 'open' and opened_at >= %(since)s
order by opened_at desc
limit %(most)s
