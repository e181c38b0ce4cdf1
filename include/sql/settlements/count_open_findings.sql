-- Open findings by kind.
-- :account
select kind, count(*)
from backmarket.settlement_findings
where account = %(account)s and status = 'open'
group by kind
order by kind
