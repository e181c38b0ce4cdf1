-- Make room for a listing's drops as they are after a reading.
-- :account, :id
delete from backmarket.listing_drops
where account = %(account)s and id = %(id)s
