-- Every plan asks which refusals of its own no longer hold.
create index changes_refused_here on backmarket.changes (account, kind, subject, market)
where status = 'refused' and attempts = 0;
