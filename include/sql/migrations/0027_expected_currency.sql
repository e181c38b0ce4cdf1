-- An order in one currency, its statement rows in another: a finding has the currency of each of its two amounts.

alter table backmarket.settlement_findings add column expected_currency text;

comment on column backmarket.settlement_findings.currency is
'Of actual, and of expected where expected_currency is null.';
comment on column backmarket.settlement_findings.expected_currency is
'Of expected, where it is another than that of actual.';

update backmarket.settlement_findings
set expected_currency = substring(detail from 'order is in ([A-Z]{3})')
where kind = 'currency_mismatch';

create or replace view backmarket.settlement_open_findings as
select
    account, kind, order_id, invoice_ref, day, expected, actual, currency, detail, documents, opened_at,
    case
        -- Two currencies: there is no difference to speak of, all of it is in question.
        when kind = 'currency_mismatch' then abs(coalesce(actual, 0))
        else abs(coalesce(actual, 0) - coalesce(expected, 0))
    end as at_stake,
    expected_currency
from backmarket.settlement_findings
where status = 'open';
