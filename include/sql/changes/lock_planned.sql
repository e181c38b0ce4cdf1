-- Whether a change is still planned as it was read: no other run has sent it, or planned it otherwise. It stays so until
-- the transaction ends.
-- :account, :change_id, :payload
select change_id
from backmarket.changes
where account = %(account)s and change_id = %(change_id)s and status = 'planned' and payload = %(payload)s::jsonb
for update
