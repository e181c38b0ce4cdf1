-- People have been told of this just now.
-- :account, :subject
insert into backmarket.alerts (account, subject, told_at)
values (%(account)s, %(subject)s, now())
on conflict (account, subject) do update set told_at = excluded.told_at
