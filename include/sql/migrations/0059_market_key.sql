-- A seller writes fr-fr as he likes: one place says what is the same market.
create function backmarket.market_key(market text) returns text
language sql immutable parallel safe
return lower(btrim(market, e' \t\r\n'));

comment on function backmarket.market_key is
'A market of the seller''s tables as Back Market writes it: neither blanks around it nor its case make another market.';
