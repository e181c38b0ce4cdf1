-- What a run looks at is found by an index, however long the history is.

create index order_lines_not_accepted on backmarket.order_lines (account)
where accepted_seen_at is null and state not in (4, 7);
create index order_lines_waiting on backmarket.order_lines (account) where state in (0, 1, 8, 9);
create index order_lines_by_acceptance on backmarket.order_lines (account, accepted_seen_at)
where accepted_seen_at is not null;
create index order_lines_by_creation on backmarket.order_lines (account, date_creation);
create index orders_by_payment on backmarket.orders (account, date_payment) where date_payment is not null;
create index changes_refused_there on backmarket.changes (account, kind, sent_at)
where status = 'refused' and attempts > 0;
