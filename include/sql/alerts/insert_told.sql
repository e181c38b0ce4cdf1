-- Note what people are about to be told of; what they were told before does not come back.
-- :account, :subjects
insert into backmarket.alerts (account, subject, told_at)
select distinct %(account)s, subjects.subject, now()
from unnest(%(subjects)s::text []) as subjects (subject)
on conflict (account, subject) do nothing
returning subject
