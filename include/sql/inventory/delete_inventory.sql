-- Make room for a new plan.
-- :account
delete from backmarket.inventory
where account = %(account)s
