-- Forget quarantined documents not seen for so many days: they hold personal data.
-- :account, :days
delete from backmarket.quarantine
where account = %(account)s and last_seen_at < now() - make_interval(days => %(days)s)
