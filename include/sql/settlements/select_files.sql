-- The files that have been read, as they were then.
-- :account
select path, size, modified_at, sha256
from backmarket.settlement_files
where account = %(account)s
