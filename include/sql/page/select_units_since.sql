-- What pyrate-limiter counted lately; its times have no zone and are UTC.
-- :seconds; {table} is the limiter's own
select count(*) as units
from {table}
where item_timestamp >= (now() at time zone 'UTC') - make_interval(secs => %(seconds)s)
