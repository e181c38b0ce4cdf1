-- Totals per day and currency of a period, both ends included.
-- :account, :first_day, :last_day
select day, currency, sales, fees, refunds, adjustments, net, paid_out
from backmarket.settlement_daily_totals
where account = %(account)s and day between %(first_day)s and %(last_day)s
order by day, currency
