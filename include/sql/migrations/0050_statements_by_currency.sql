-- An export speaks of its own currencies: one in EUR took away what another of the same invoice had said in GBP.

with wiped as (
    select statement.account, statement.invoice_ref, statement.currency, max(line.last_export) as last_export
    from backmarket.settlement_statements as statement
    inner join backmarket.settlement_lines as line
        on
            statement.account = line.account
            and statement.invoice_ref = line.invoice_ref
            and statement.currency = line.currency
    where statement.line_count = 0
    group by statement.account, statement.invoice_ref, statement.currency
    having bool_and(line.vanished)
),

given_back as (
    update backmarket.settlement_lines as line
    set vanished = false, last_export = null
    from wiped
    where
        line.account = wiped.account
        and line.invoice_ref = wiped.invoice_ref
        and line.currency = wiped.currency
        and line.last_export = wiped.last_export
    returning line.account, line.invoice_ref, line.currency, line.value_date, line.amount
),

-- A row may explain findings, and be one no more.
stale as (
    insert into backmarket.settlement_stale_days (account, day)
    select distinct account, value_date
    from given_back
)

update backmarket.settlement_statements as statement
set line_count = sums.line_count, total = sums.total
from (
    select account, invoice_ref, currency, count(*) as line_count, sum(amount) as total
    from given_back
    group by account, invoice_ref, currency
) as sums
where
    statement.account = sums.account
    and statement.invoice_ref = sums.invoice_ref
    and statement.currency = sums.currency;
