-- name: insert_told
-- Note what people are about to be told of; what they were told within the last hours does not come back.
-- :account, :subjects, :repeat_hours
insert into backmarket.alerts as told (account, subject, told_at)
select distinct %(account)s, subjects.subject, now()
from unnest(%(subjects)s::text []) as subjects (subject)
on conflict (account, subject) do update set told_at = excluded.told_at
where told.told_at <= now() - make_interval(hours => %(repeat_hours)s)
returning subject;

-- name: purge_told
-- After 30 days nothing is to be known of what people were told of, unless it is to be told again only later.
-- :account, :repeat_hours
delete from backmarket.alerts
where
    account = %(account)s
    and told_at < now() - greatest(interval '30 days', make_interval(hours => %(repeat_hours)s));
