-- Make room for a tree that was read anew.
-- :account, :market
delete from backmarket.categories
where account = %(account)s and market = %(market)s
