-- What each kind of fee came to in a period, both ends included.
-- :account, :first_day, :last_day
select currency, category, invoice_key, sum(amount) as amount, count(*) as lines
from backmarket.settlement_lines
where
    account = %(account)s
    and not vanished
    and value_date between %(first_day)s and %(last_day)s
    and category in ('commission', 'payment_fee', 'service', 'logistics', 'adjustment')
group by currency, category, invoice_key
order by currency, amount
