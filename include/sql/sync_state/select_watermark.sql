-- Up to when everything is stored; no row before the first success.
-- :account, :concern, :market
select watermark, succeeded_at
from backmarket.sync_state
where account = %(account)s and concern = %(concern)s and market = %(market)s
