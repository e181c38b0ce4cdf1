-- What the last validation of the token found.
-- :account, :platform, :token_valid, :details
update backmarket.accounts
set platform = %(platform)s, token_valid = %(token_valid)s, checked_at = now(), check_details = %(details)s
where account = %(account)s
