-- Orders of the last 30 days by UTC day of creation and country of the market.
-- :account
select (date_creation at time zone 'UTC')::date as bucket, coalesce(country_code, '?') as series, count(*) as value
from backmarket.orders
where account = %(account)s and date_creation >= date_trunc('day', now() at time zone 'UTC') at time zone 'UTC' - interval '29 days'
group by 1, 2
order by 1, 2
