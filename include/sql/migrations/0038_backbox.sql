-- Winning the BackBox without losing money: competitors, what each sale costs, prices that follow from both.

create table backmarket.backbox (
    account text not null,
    id uuid not null,
    market text not null,
    price numeric,
    min_price numeric,
    price_to_win numeric,
    winner_price numeric,
    currency text not null,
    is_winning boolean not null,
    document jsonb not null,
    first_seen_at timestamptz not null default now(),
    read_at timestamptz not null,
    gone_at timestamptz,
    primary key (account, id, market)
);

comment on table backmarket.backbox is
'Where each listing stands in the competition for the BackBox of its product, by the newest reading of each market.';
comment on column backmarket.backbox.price is 'Ours, in currency, as the others are.';
comment on column backmarket.backbox.price_to_win is 'What ours would have to be to win; null where Back Market says none.';
comment on column backmarket.backbox.gone_at is 'Since when it takes part in no BackBox; null while it does.';

create table backmarket.backbox_history (
    account text not null,
    id uuid not null,
    market text not null,
    read_at timestamptz not null,
    price numeric,
    price_to_win numeric,
    winner_price numeric,
    currency text not null,
    is_winning boolean not null,
    takes_part boolean not null default true,
    -- With what the share that is won each day is counted by, so that the index alone answers that.
    primary key (account, id, market, read_at) include (is_winning, takes_part)
);

comment on table backmarket.backbox_history is 'Every change of backmarket.backbox, from when each was first read.';

create table backmarket.backbox_askings (
    account text not null,
    id uuid not null,
    asked_at timestamptz not null,
    has_backbox boolean,
    reason text,
    primary key (account, id)
);
create index backbox_askings_by_time on backmarket.backbox_askings (account, asked_at);

comment on table backmarket.backbox_askings is 'When Back Market was asked last for the competitors of each listing.';
comment on column backmarket.backbox_askings.has_backbox is
'Whether it takes part in a BackBox of any market; null where the answer could not be had or read: the reason says why.';

create table backmarket.backbox_requests (
    account text not null,
    hour timestamptz not null,
    requests integer not null,
    primary key (account, hour)
);

comment on table backmarket.backbox_requests is
'How many requests for competitors were made in each hour: backmarket_backbox_requests_an_hour limits them.';

-- What was decided last about each price, and why.
create table backmarket.repricing (
    account text not null,
    id uuid not null,
    market text not null,
    sku text not null,
    currency text not null,
    target numeric,
    floor numeric,
    ceiling numeric,
    margin numeric,
    margin_pct numeric,
    verdict text not null check (verdict in ('move', 'ask', 'hold')),
    reason text not null,
    decided_at timestamptz not null,
    primary key (account, id, market)
);

comment on table backmarket.repricing is 'What repricing decided last about each listing in each market, in currency.';
comment on column backmarket.repricing.margin is 'What is left of a sale at the target, or at the price shown where it holds; null where the cost is not known.';
comment on column backmarket.repricing.target is
'Where it wanted the price last; it stays there while it holds. Null: it has never moved the price.';

-- How often repricing has moved each price lately.
create index changes_repricing on backmarket.changes (account, sent_at)
where kind = 'price' and payload ? 'why';

create table backmarket.vat_rates (
    market text not null,
    valid_from date not null,
    vat_pct numeric not null check (vat_pct between 0 and 100),
    primary key (market, valid_from)
);

comment on table backmarket.vat_rates is
'The standard rate of each market''s country, in per cent of the price without it; seller.vat_rates goes before it.';

insert into backmarket.vat_rates (market, valid_from, vat_pct)
values
('fr-fr', '2014-01-01', 20),
('fr-be', '1996-01-01', 21),
('es-es', '2012-09-01', 21),
('de-de', '2021-01-01', 19),
('de-at', '1984-01-01', 20),
('it-it', '2013-10-01', 22),
('en-gb', '2011-01-04', 20),
('nl-nl', '2012-10-01', 21),
('pt-pt', '2011-01-01', 23),
('en-ie', '2021-03-01', 23),
('el-gr', '2016-06-01', 24),
('sk-sk', '2011-01-01', 20),
('sk-sk', '2025-01-01', 23),
('sv-se', '1990-07-01', 25),
-- Back Market collects sales tax itself, on top of the price.
('en-us', '2014-01-01', 0),
('ja-jp', '2019-10-01', 10),
('en-au', '2000-07-01', 10);

-- A table or view that the seller's systems have put in place already stays as it is.
do $$
begin
    if to_regclass('seller.costs') is null then
        create table seller.costs (
            account text not null default 'default',
            sku text not null,
            unit_cost numeric not null,
            currency text not null,
            vat_scheme text not null,
            primary key (account, sku)
        );

        comment on table seller.costs is 'What a unit of each SKU costs you, in currency.';
        comment on column seller.costs.vat_scheme is
        'margin: VAT is due on what is left of the price after unit_cost; standard: on the whole price, and unit_cost is
without the VAT you get back.';
    end if;

    if to_regclass('seller.device_costs') is null then
        create table seller.device_costs (
            account text not null default 'default',
            imei_or_serial text not null,
            unit_cost numeric not null,
            currency text not null,
            primary key (account, imei_or_serial)
        );

        comment on table seller.device_costs is 'What single devices cost you, where you know; it goes before seller.costs.';
    end if;

    if to_regclass('seller.fx_rates') is null then
        create table seller.fx_rates (
            day date not null,
            from_currency text not null,
            to_currency text not null,
            rate numeric not null,
            primary key (day, from_currency, to_currency)
        );

        comment on table seller.fx_rates is 'How many of to_currency one of from_currency is worth on a day.';
    end if;

    if to_regclass('seller.vat_rates') is null then
        create table seller.vat_rates (
            account text not null default 'default',
            market text not null,
            vat_pct numeric not null,
            valid_from date not null default '2000-01-01',
            primary key (account, market, valid_from)
        );

        comment on table seller.vat_rates is
        'VAT in per cent of the price without it, where yours is another than backmarket.vat_rates says.';
    end if;
end $$;
