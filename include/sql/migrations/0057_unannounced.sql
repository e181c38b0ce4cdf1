-- What has changed and no asset event has told of yet: a task may store, and fail, be killed or be tried again after that.

create table backmarket.unannounced (
    note_id bigint generated always as identity primary key,
    account text not null,
    thing text not null,
    counts jsonb not null,
    run_id text,
    claimed_at timestamptz
);
create unique index unannounced_open on backmarket.unannounced (account, thing) where run_id is null;

comment on table backmarket.unannounced is
'Changes since the last asset event of a thing, as orders, and for a month those that runs have announced.';
comment on column backmarket.unannounced.counts is 'How many changed how, by the names that the asset event has for them.';
comment on column backmarket.unannounced.run_id is
'The run that announces them, once more where its task is tried again; null: none yet.';

create function backmarket.added_counts(counts jsonb, more jsonb) returns jsonb
language sql immutable parallel safe
as $$
    select jsonb_object_agg(each.name, each.units)
    from (
        select given.name, sum(given.units::bigint) as units
        from (
            select key as name, value as units from jsonb_each_text(counts)
            union all
            select key as name, value as units from jsonb_each_text(more)
        ) as given
        group by given.name
    ) as each
$$;

comment on function backmarket.added_counts is 'Adds up counts by their names.';
