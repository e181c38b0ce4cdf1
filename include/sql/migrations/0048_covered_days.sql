-- A statement covers no day that it cannot speak of: a mistyped year in one row made it cover years.

-- What covers nothing has no first day to look at.
create or replace function backmarket.mark_covered_days() returns trigger
language plpgsql
as $$
begin
    insert into backmarket.settlement_stale_statements (account, invoice_ref)
    values (coalesce(new.account, old.account), coalesce(new.invoice_ref, old.invoice_ref));
    -- A statement without rows covers nothing.
    if (old.covers, old.line_count > 0) is distinct from (new.covers, new.line_count > 0) then
        insert into backmarket.settlement_stale_covers (account, first_day, end_day)
        select account, lower(covers), upper(covers)
        from (values (old.account, old.covers), (new.account, new.covers)) as statement (account, covers)
        where not isempty(covers);
    end if;
    return null;
end
$$;

comment on column backmarket.settlement_statements.covers is
'The days this statement settles: those of its rows from 45 days before its date of issue on, and the seven before it.';

-- As rules/settlements/coverage.py has it, for the statements that cover more.
with off as (
    select
        account, invoice_ref, currency, issued_on,
        coalesce(
            issued_on,
            (
                select max(line.value_date)
                from backmarket.settlement_lines as line
                where
                    line.account = statement.account and line.invoice_ref = statement.invoice_ref
                    and line.currency = statement.currency and not line.vanished and line.value_date <= current_date
            )
        ) as end_day
    from backmarket.settlement_statements as statement
    where
        upper(covers) > issued_on + 1
        or lower(covers) < issued_on - 45
        or (issued_on is null and (upper(covers) > current_date + 1 or upper(covers) - lower(covers) > 46))
),

covered as (
    select
        off.account, off.invoice_ref, off.currency,
        min(day.value) as first_day,
        max(day.value) as last_day
    from off
    cross join lateral (
        select line.value_date as value
        from backmarket.settlement_lines as line
        where
            line.account = off.account and line.invoice_ref = off.invoice_ref and line.currency = off.currency
            and not line.vanished and not line.is_undated
        union all
        select off.issued_on - 7
        union all
        select off.issued_on - 1
    ) as day
    where day.value between off.end_day - 45 and off.end_day
    group by off.account, off.invoice_ref, off.currency
)

update backmarket.settlement_statements as statement
set covers = case
    when covered.first_day is null then 'empty'::daterange
    else daterange(covered.first_day, covered.last_day, '[]')
end
from off
left join covered using (account, invoice_ref, currency)
where
    statement.account = off.account
    and statement.invoice_ref = off.invoice_ref
    and statement.currency = off.currency;
