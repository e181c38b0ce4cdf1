-- An amount of 0 is how Back Market writes that there is none. Taken for a price to win, it sent prices to their ceilings.
update backmarket.backbox
set
    price = nullif(price, 0),
    min_price = nullif(min_price, 0),
    price_to_win = nullif(price_to_win, 0),
    winner_price = nullif(winner_price, 0)
where 0 in (price, min_price, price_to_win, winner_price);

update backmarket.backbox_history
set
    price = nullif(price, 0),
    price_to_win = nullif(price_to_win, 0),
    winner_price = nullif(winner_price, 0)
where 0 in (price, price_to_win, winner_price);
