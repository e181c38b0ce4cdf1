-- What keeps the page quick where hundreds of thousands of changes were sent in a month.

create index changes_by_kind_and_day on backmarket.changes (account, kind, sent_at);
drop index backmarket.changes_by_day;
create index changes_stuck on backmarket.changes (account, planned_at)
where status = 'refused' and reason like 'waits: %';
