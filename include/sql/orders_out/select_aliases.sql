-- The seller's own names of carriers.
-- :account
select alias::text, shipper::text from seller.shipper_aliases where account::text = %(account)s order by alias::text
