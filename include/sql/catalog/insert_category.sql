-- One leaf of the tree; of two with one number the first stays.
-- :account, :market, :category_id, :tree_id, :name, :attributes, :read_at
insert into backmarket.categories (account, market, category_id, tree_id, name, attributes, read_at)
values (%(account)s, %(market)s, %(category_id)s, %(tree_id)s, %(name)s, %(attributes)s, %(read_at)s)
on conflict (account, market, category_id) do nothing
