-- What the last 16 weeks earned, net, by week (its Monday) and currency.
-- :account
select date_trunc('week', day)::date as bucket, currency as series, sum(net) as value
from backmarket.settlement_daily_totals
where account = %(account)s and day >= date_trunc('week', (now() at time zone 'UTC'))::date - 15 * 7
group by 1, 2
order by 1, 2
