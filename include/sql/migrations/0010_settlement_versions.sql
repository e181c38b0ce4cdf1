-- Statement rows are kept in the order they came in, and remember from which export to which they were there.
--
-- The identity stays what it was: the statement, the currency, the row's content, and which of several identical rows
-- it is. It is compared as content when an export meets stored rows (merge_lines.sql), under a lock for each statement;
-- no hash of it is stored, which took longer to keep in order than all the rest of loading.

alter table backmarket.settlement_lines
    add column line_id integer,
    add column first_export timestamptz not null default '-infinity',
    add column last_export timestamptz;

update backmarket.settlement_lines as line
set line_id = numbered.line_id, last_export = case when line.vanished then timestamptz '-infinity' end
from (
    select
        account, content_hash, occurrence,
        row_number() over (
            partition by account, invoice_ref order by line_no, content_hash, occurrence
        ) as line_id
    from backmarket.settlement_lines
) as numbered
where
    line.account = numbered.account
    and line.content_hash = numbered.content_hash
    and line.occurrence = numbered.occurrence;

alter table backmarket.settlement_finding_history
    drop constraint settlement_finding_history_account_kind_subject_fkey;

create temporary table renamed_findings on commit drop as
select
    finding.account, finding.kind, finding.subject,
    concat_ws('/', line.invoice_ref, line.line_id) as new_subject
from backmarket.settlement_findings as finding
inner join backmarket.settlement_lines as line
    on
        finding.account = line.account
        and finding.invoice_ref = line.invoice_ref
        and finding.subject = concat_ws('/', line.invoice_ref, line.currency, line.content_hash, line.occurrence);

update backmarket.settlement_findings as finding
set subject = renamed.new_subject
from renamed_findings as renamed
where (finding.account, finding.kind, finding.subject) = (renamed.account, renamed.kind, renamed.subject);

update backmarket.settlement_finding_history as finding
set subject = renamed.new_subject
from renamed_findings as renamed
where (finding.account, finding.kind, finding.subject) = (renamed.account, renamed.kind, renamed.subject);

alter table backmarket.settlement_finding_history
    add foreign key (account, kind, subject) references backmarket.settlement_findings (account, kind, subject);

alter table backmarket.settlement_lines
    drop constraint settlement_lines_pkey,
    drop column content_hash,
    drop column occurrence,
    alter column first_export drop default,
    add primary key (account, invoice_ref, line_id),
    add check (vanished = (last_export is not null));

drop index backmarket.settlement_lines_by_order;
create index settlement_lines_by_order on backmarket.settlement_lines (order_id, account) where order_id is not null;

comment on column backmarket.settlement_lines.line_id is
'Running number within the statement, in the order in which rows were first stored.';
comment on column backmarket.settlement_lines.first_export is
'The modification time of the earliest export that has the row.';
comment on column backmarket.settlement_lines.last_export is
'Of a vanished row: the modification time of the latest export that has it. Null: the newest one does.';

alter table backmarket.settlement_findings drop constraint settlement_findings_kind_check;
alter table backmarket.settlement_findings add constraint settlement_findings_kind_check check (
    kind in (
        'missing_sale', 'sale_without_order', 'sale_amount_difference', 'fee_difference',
        'refund_without_refunded_line', 'refunded_line_without_refund', 'refund_amount_difference',
        'refund_without_fee_credit', 'fee_credit_difference', 'currency_mismatch', 'line_changed', 'line_vanished',
        'unknown_key', 'payout_never_released'
    )
);

create view backmarket.settlement_open_findings as
select
    account, kind, order_id, invoice_ref, day, expected, actual, currency, detail, documents, opened_at,
    case
        -- Two currencies: there is no difference to speak of, all of it is in question.
        when kind = 'currency_mismatch' then abs(coalesce(actual, 0))
        else abs(coalesce(actual, 0) - coalesce(expected, 0))
    end as at_stake
from backmarket.settlement_findings
where status = 'open';

comment on view backmarket.settlement_open_findings is
'What statements and orders do not agree on now; at_stake in the finding''s currency, without a sign.';
