-- The report that a run has stored.
-- :account, :run_id
select html
from backmarket.settlement_reports
where account = %(account)s and run_id = %(run_id)s
