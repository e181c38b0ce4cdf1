-- Where the rows of a further export of a statement wait to be compared with what is stored; gone with the transaction.
create temporary table staged_settlement_lines (like backmarket.settlement_lines) on commit drop
