-- A look before sending found a listing: sending would overwrite it.
-- :account, :change_ids
update backmarket.changes
set status = 'superseded', reason = 'Back Market has a listing of this SKU already'
where account = %(account)s and change_id = any(%(change_ids)s) and status = 'planned'
