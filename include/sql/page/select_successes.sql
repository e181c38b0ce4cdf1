-- When each concern last succeeded and what it counted; of several markets the newest.
-- :account
select distinct on (concern) concern, succeeded_at, counts, watermark
from backmarket.sync_state
where account = %(account)s
order by concern, succeeded_at desc nulls last
