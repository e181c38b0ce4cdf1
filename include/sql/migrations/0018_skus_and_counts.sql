-- One place that says when two SKUs are one, what a person should know of counts and listings, and how long a decision
-- about a price holds.

-- The same blanks as in rules/skus.py.
create function backmarket.clean_sku(sku text) returns text
language sql immutable parallel safe
return btrim(sku, e'\u0020\u0009\u000a\u000b\u000c\u000d\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff');

create function backmarket.sku_key(sku text) returns text
language sql immutable parallel safe
return lower(btrim(sku, e'\u0020\u0009\u000a\u000b\u000c\u000d\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff') collate "C");

comment on function backmarket.sku_key is
'What two spellings of one SKU have in common: neither blanks around it nor the case of A to Z make another SKU.';

drop index backmarket.listings_by_sku;
create index listings_by_sku on backmarket.listings (account, backmarket.sku_key(sku));
create index order_lines_by_sku_key on backmarket.order_lines (account, backmarket.sku_key(sku));

alter table backmarket.inventory_findings drop constraint inventory_findings_kind_check;
alter table backmarket.inventory_findings add constraint inventory_findings_kind_check check (
    kind in (
        'stock_missing', 'stock_stale', 'count_in_future', 'promised_too_much', 'sold_below_zero', 'sku_ambiguous',
        'held_by_zero_guard', 'quantity_changed_outside', 'price_changed_outside'
    )
);
