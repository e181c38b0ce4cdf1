-- When settlements were last compared with orders, and what is loaded.
-- :account
select
    report.created_at as succeeded_at,
    (
        select jsonb_build_object('statements', count(*), 'lines', coalesce(sum(statement.line_count), 0))
        from backmarket.settlement_statements as statement
        where statement.account = report.account
    ) as counts
from backmarket.settlement_reports as report
where report.account = %(account)s
order by report.created_at desc
limit 1
