-- Says what these columns hold: what was sent last, and when, as long as no answer or reading has told how it ended.

alter table backmarket.listing_baselines rename column maybe to sent_quantity;
alter table backmarket.listing_baselines rename column maybe_at to sent_at;

comment on column backmarket.listing_baselines.sent_quantity is
'Sent without an answer: the listing shows this or quantity.';
