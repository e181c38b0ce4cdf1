-- The accounts that this database holds, and what the last check of each token found.
-- :account
select account, host, platform, token_valid, checked_at, account = %(account)s as chosen
from backmarket.accounts
order by account
