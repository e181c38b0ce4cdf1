-- A listing that a market shows in a form that is understood now leaves the quarantine.
-- :account
delete from backmarket.quarantine
where
    account = %(account)s
    and entity = 'listing'
    and key in (select market || '/' || id::text from staged_listings)
