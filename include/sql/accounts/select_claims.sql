-- Who stands for what: the row of this name, and any other name for the same host and token.
-- :account, :host, :token_fingerprint
select account, host, token_fingerprint
from backmarket.accounts
where
    account = %(account)s
    or (host = %(host)s and token_fingerprint = %(token_fingerprint)s)
