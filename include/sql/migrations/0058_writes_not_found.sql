-- A 404 for a write says nothing of what was sent, where the order was served a moment before: a refusal that it ends in
-- does not hold for ever, as one of an identifier would.
alter table backmarket.changes add column refused_until timestamptz;

comment on column backmarket.changes.refused_until is
'Of what Back Market answered 404 for: until when it is not sent again, once it is refused; null of all other refusals.';
