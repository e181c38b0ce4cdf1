-- The ten orders with the most at stake in open findings of a period, both ends included.
-- :account, :first_day, :last_day
select
    finding.order_id,
    finding.currency,
    string_agg(distinct finding.kind, ', ' order by finding.kind) as kinds,
    sum(finding.at_stake) as amount,
    max(totals.net) as net
from backmarket.settlement_open_findings as finding
left join backmarket.settlement_order_totals as totals
    on
        finding.account = totals.account
        and finding.order_id = totals.order_id
        and finding.currency = totals.currency
where
    finding.account = %(account)s
    and finding.order_id is not null
    and finding.day between %(first_day)s and %(last_day)s
group by finding.order_id, finding.currency
order by amount desc, finding.order_id
limit 10
