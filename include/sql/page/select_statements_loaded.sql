-- What tells whether statements were loaded since: how many there are, their lines, and the newest.
-- :account
select count(*) as statements, coalesce(sum(line_count), 0) as lines, max(exported_at) as newest, max(loaded_at) as loaded_at
from backmarket.settlement_statements
where account = %(account)s
