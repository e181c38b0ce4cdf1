-- The newest reports that runs have stored.
-- :account
select run_id, first_day, last_day, created_at
from backmarket.settlement_reports
where account = %(account)s
order by created_at desc
limit 100
