-- Keep the report of a run; a repeated run replaces its own.
-- :account, :run_id, :first_day, :last_day, :html
insert into backmarket.settlement_reports (account, run_id, first_day, last_day, html)
values (%(account)s, %(run_id)s, %(first_day)s, %(last_day)s, %(html)s)
on conflict (account, run_id) do update set
    first_day = excluded.first_day,
    last_day = excluded.last_day,
    html = excluded.html,
    created_at = excluded.created_at
