-- Orders that the seller's tables name and that Back Market, asked by id, does not have: asked for a few times, ever
-- more seldom, so that they keep nobody's turn.

create table backmarket.orders_not_found (
    account text not null,
    order_id bigint not null,
    attempts integer not null default 1,
    first_asked_at timestamptz not null default now(),
    asked_at timestamptz not null default now(),
    primary key (account, order_id)
);

comment on column backmarket.orders_not_found.attempts is 'How often Back Market answered that there is no such order.';
