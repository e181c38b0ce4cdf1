-- How many rows one of the seller's tables has for an account.
-- {table}, :account
select count(*) from {table} where account::text = %(account)s
