-- Statement rows that are a finding by themselves: changed or vanished rows, unknown keys, what is no order id, rows
-- without a date, sales of no order known.
-- :account, :everything, :days
--
-- A number that no stored order has is a finding only once Back Market, asked for it, has answered that there is none.
-- What stands in place of an order id may be personal: no finding repeats it.
insert into found_differences (
    kind, subject, order_id, invoice_ref, day, expected, actual, currency, detail, documents
)
with questionable as (
    select *
    from backmarket.settlement_lines
    where
        account = %(account)s
        and (
            vanished
            or category = 'unknown'
            or order_reference is not null
            or is_undated
            or (role = 'sale' and tied_by is null)
        )
        and (%(everything)s or value_date = any(%(days)s))
),

-- Rows of statements that lost some: which of them stand in a lost row's place? Those of the same key and order (or of
-- the same line, where no order is named), the first with the first, in an export later than the row's last.
placed as (
    select
        line.*,
        coalesce('order ' || line.number, 'reference ' || line.order_reference, 'line ' || line.line_no) as place,
        row_number() over (
            partition by
                line.invoice_ref, line.currency, line.invoice_key,
                coalesce('order ' || line.number, 'reference ' || line.order_reference, 'line ' || line.line_no),
                line.first_export
            order by line.line_id
        ) as nth_new,
        row_number() over (
            partition by
                line.invoice_ref, line.currency, line.invoice_key,
                coalesce('order ' || line.number, 'reference ' || line.order_reference, 'line ' || line.line_no),
                line.last_export
            order by line.line_id
        ) as nth_gone
    from backmarket.settlement_lines as line
    where line.account = %(account)s and line.invoice_ref in (select invoice_ref from questionable where vanished)
),

successors as (
    select distinct on (gone.invoice_ref, gone.line_id)
        gone.invoice_ref, gone.line_id,
        new.line_id as new_id
    from placed as gone
    inner join placed as new
        on
            gone.invoice_ref = new.invoice_ref
            and gone.currency = new.currency
            and gone.invoice_key = new.invoice_key
            and gone.place = new.place
            and gone.nth_gone = new.nth_new
            and gone.last_export < new.first_export
    where gone.vanished
    order by gone.invoice_ref, gone.line_id, new.first_export
),

-- A row replaces one other: of two that could be meant, the one that was there to the last.
replaced as (
    select distinct on (successors.invoice_ref, successors.new_id)
        successors.invoice_ref, successors.line_id, new.line_id as new_id, new.line_no, new.amount, new.value_date,
        new.is_undated, new.designation, new.sku
    from successors
    inner join placed as gone on successors.invoice_ref = gone.invoice_ref and successors.line_id = gone.line_id
    inner join placed as new on successors.invoice_ref = new.invoice_ref and successors.new_id = new.line_id
    order by successors.invoice_ref, successors.new_id, gone.last_export desc, gone.line_id
)

select
    verdict.kind,
    concat_ws('/', line.invoice_ref, line.line_id),
    line.order_id,
    line.invoice_ref,
    line.value_date,
    case when line.vanished then line.amount end,
    case when line.vanished then new.amount else line.amount end,
    line.currency,
    verdict.detail,
    case when new.new_id is null then '[]' else
        jsonb_build_array(
            jsonb_build_object(
                'invoice_ref', line.invoice_ref, 'line_no', new.line_no, 'invoice_key', line.invoice_key,
                'amount', new.amount::text, 'currency', line.currency
            )
        )
    end
    || jsonb_build_array(
        jsonb_build_object(
            'invoice_ref', line.invoice_ref, 'line_no', line.line_no, 'invoice_key', line.invoice_key,
            'amount', line.amount::text, 'currency', line.currency, 'vanished', line.vanished
        )
    )
from questionable as line
left join replaced as new on line.invoice_ref = new.invoice_ref and line.line_id = new.line_id
cross join lateral (
    values
    (
        'line_changed', line.vanished and new.new_id is not null,
        'A later export of this statement has the row with another ' || concat_ws(
            ', ',
            case when new.amount <> line.amount then 'amount' end,
            case when (new.value_date, new.is_undated) <> (line.value_date, line.is_undated) then 'value_date' end,
            case when new.designation <> line.designation then 'designation' end,
            case when new.sku is distinct from line.sku then 'sku' end
        ) || '; the later one counts.'
    ),
    (
        'line_vanished', line.vanished and new.new_id is null,
        'An earlier export of this statement has the row, the newest does not.'
    ),
    (
        'unknown_key', line.category = 'unknown' and not line.vanished,
        format('The key %%s is not known: counted in the total, left out of the net.', line.invoice_key)
    ),
    (
        'unknown_order_reference', line.order_reference is not null and not line.vanished,
        'The column order_id says something that is no order id; settlement_lines.order_reference keeps it.'
    ),
    (
        'no_value_date', line.is_undated and not line.vanished,
        format('The row has no date: it counts on %%s, the day of the statement.', line.value_date)
    ),
    (
        'sale_without_order',
        line.role = 'sale' and line.tied_by is null and line.order_reference is null and not line.vanished
        and (
            line.number is null
            or exists (
                select 1
                from backmarket.settlement_unknown_orders as tried
                where tried.account = line.account and tried.number = line.number
            )
        ),
        case
            when line.number is null then 'The row names no order.'
            else format('Back Market has no order %%s.', line.number)
        end
    )
) as verdict (kind, applies, detail)
where verdict.applies;
