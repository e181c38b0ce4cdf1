-- What was answered as done and shown by nothing counts as refused; where it is shown later, the ledger says so.

insert into backmarket.change_moves (from_status, to_status, condition) values
('refused', 'confirmed', 'sent before');
