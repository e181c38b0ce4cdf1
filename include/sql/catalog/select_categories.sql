-- The leaf categories of a market.
-- :account, :market
select category_id, tree_id, name, attributes
from backmarket.categories
where account = %(account)s and market = %(market)s
