-- Whether people were told of this within the last hour.
-- :account, :subject
select true
from backmarket.alerts
where account = %(account)s and subject = %(subject)s and told_at > now() - interval '1 hour'
