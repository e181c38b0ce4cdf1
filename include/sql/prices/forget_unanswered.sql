-- Questions of runs that ended without an answer (deleted or killed): they are put again.
-- :account, :run_id
delete from backmarket.price_approvals
where account = %(account)s and status = 'asked' and run_id <> %(run_id)s
