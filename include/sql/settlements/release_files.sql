-- Files that are readable now, or have left the inbox, leave the quarantine.
-- :account, :still
delete from backmarket.quarantine
where account = %(account)s and entity = 'settlement_file' and key <> all(%(still)s)
