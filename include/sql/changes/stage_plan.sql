-- What one concern wants to change now, in the order in which it is to be sent.
create temporary table if not exists staged_plan (
    position bigint not null,
    subject text not null,
    market text not null,
    payload jsonb not null,
    status text not null,
    reason text
)
