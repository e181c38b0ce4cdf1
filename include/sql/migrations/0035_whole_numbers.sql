-- Orders that the seller's tables name are found by the index of orders, however those tables write a number.

create function backmarket.whole_number(given text) returns bigint
language sql immutable parallel safe
as $$
    select case
        when given ~ '^[1-9][0-9]{0,17}$' then given::bigint
        when backmarket.plain_number(given) ~ '^[1-9][0-9]{0,17}$' then backmarket.plain_number(given)::bigint
    end
$$;

comment on function backmarket.whole_number is
'The number that a text is, as backmarket.plain_number understands it; null where it is no whole number above
zero of at most 18 digits.';
