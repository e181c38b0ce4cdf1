-- What a run asked a person about and has no answer to, in the order of asking.
-- :account, :run_id
select sku, market, old_price, new_price, currency, reason
from backmarket.price_approvals
where account = %(account)s and run_id = %(run_id)s and status = 'asked'
order by sku, market
