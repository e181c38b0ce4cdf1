-- The orders that one reconciliation looks at.
create temporary table settlement_scope (order_id bigint primary key) on commit drop
