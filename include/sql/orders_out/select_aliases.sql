-- The seller's own names of carriers.
-- :account
select alias, shipper from seller.shipper_aliases where account = %(account)s order by alias
