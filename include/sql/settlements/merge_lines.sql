-- Compare a further export of a statement with what is stored of it in a currency; answers how many rows are new.
-- :account, :invoice_ref, :currency, :exported_at, :newest_before (null: nothing is stored in it), :is_newest
--
-- A row is its content, and which of several identical rows it is. Where this export is the newest, rows that it lacks
-- are vanished and rows that it has again are not; where it is an older one, its further rows are stored as vanished.
-- The days of all that changed, and of rows vanished before, which a new row may explain, are to be looked at again.
with stored as (
    select
        line_id, vanished, currency, invoice_key, value_date, is_undated, amount, designation,
        coalesce(sku, '') as sku, coalesce(number, -1) as number, coalesce(order_reference, '') as order_reference,
        row_number() over (
            partition by
                currency, invoice_key, value_date, is_undated, amount, designation, sku, number, order_reference
            order by line_id
        ) as occurrence
    from backmarket.settlement_lines
    where account = %(account)s and invoice_ref = %(invoice_ref)s and currency = %(currency)s
),

staged as (
    select
        line_id, currency, invoice_key, value_date, is_undated, amount, designation,
        coalesce(sku, '') as sku, coalesce(number, -1) as number, coalesce(order_reference, '') as order_reference,
        row_number() over (
            partition by
                currency, invoice_key, value_date, is_undated, amount, designation, sku, number, order_reference
            order by line_id
        ) as occurrence
    from staged_settlement_lines
    where currency = %(currency)s
),

matched as (
    select
        stored.line_id as stored_id,
        staged.line_id as staged_id,
        value_date
    from stored
    full join staged
        using (
            currency, invoice_key, value_date, is_undated, amount, designation, sku, number, order_reference, occurrence
        )
),

changed as (
    update backmarket.settlement_lines as line
    set
        vanished = matched.staged_id is null,
        last_export = case when matched.staged_id is null then %(newest_before)s::timestamptz end
    from matched
    where
        %(is_newest)s
        and line.account = %(account)s
        and line.invoice_ref = %(invoice_ref)s
        and line.line_id = matched.stored_id
        and line.vanished = (matched.staged_id is not null)
    returning line.value_date
),

known_longer as (
    update backmarket.settlement_lines as line
    set
        first_export = least(line.first_export, %(exported_at)s),
        last_export = case when line.vanished then greatest(line.last_export, %(exported_at)s) end
    from matched
    where
        not %(is_newest)s
        and line.account = %(account)s
        and line.invoice_ref = %(invoice_ref)s
        and line.line_id = matched.stored_id
        and matched.staged_id is not null
    returning line.value_date
),

added as (
    insert into backmarket.settlement_lines (
        account, invoice_ref, line_id, line_no, currency, invoice_key, category, role, value_date, is_undated,
        sku, order_id, number, order_reference, tracking_number, tied_by, designation, amount, first_export, last_export, vanished
    )
    select
        line.account, line.invoice_ref,
        (
            select max(known.line_id)
            from backmarket.settlement_lines as known
            where known.account = %(account)s and known.invoice_ref = %(invoice_ref)s
        ) + row_number() over (order by line.line_id),
        line.line_no, line.currency, line.invoice_key, line.category, line.role, line.value_date,
        line.is_undated, line.sku, line.order_id, line.number, line.order_reference, line.tracking_number, line.tied_by, line.designation, line.amount,
        line.first_export, case when not %(is_newest)s then line.first_export end, not %(is_newest)s
    from staged_settlement_lines as line
    inner join matched on line.line_id = matched.staged_id and matched.stored_id is null
    returning value_date
),

stale as (
    insert into backmarket.settlement_stale_days (account, day)
    select %(account)s, value_date from changed
    union
    select %(account)s, value_date from known_longer
    union
    select %(account)s, value_date from added
    union
    select %(account)s, value_date from stored where vanished
)

select count(*) from added;
