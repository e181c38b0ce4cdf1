-- The lines of statements that belong to an order.
-- :account, :order_id
select
    value_date::timestamp at time zone 'UTC' as at,
    true as is_day,
    'settlement' as source,
    concat(replace(invoice_key, '_', ' '), case when vanished then ' (gone from the newest export)' end) as what,
    concat_ws(' · ', amount || ' ' || currency, designation, 'statement ' || invoice_ref) as detail
from backmarket.settlement_lines
where account = %(account)s and order_id = %(order_id)s
