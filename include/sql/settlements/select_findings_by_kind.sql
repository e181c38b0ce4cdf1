-- Open findings of a period by kind and currency, both ends included, with what is at stake.
-- :account, :first_day, :last_day
select kind, currency, count(*) as findings, sum(at_stake) as amount
from backmarket.settlement_open_findings
where account = %(account)s and day between %(first_day)s and %(last_day)s
group by kind, currency
order by amount desc, kind, currency
