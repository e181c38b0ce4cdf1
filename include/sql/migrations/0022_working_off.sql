-- What people did about the things that wait for them, and a way to try again what Back Market refused.

create table backmarket.need_marks (
    account text not null,
    mark_id bigint generated always as identity,
    need text not null,
    topic text not null,
    mark text not null check (
        mark in ('resolved', 'ignored', 'commented', 'retried', 'reopened', 'approved', 'declined')
    ),
    story text not null,
    subject text not null,
    detail text not null,
    comment text not null default '',
    run_path text,
    marked_by text not null,
    marked_at timestamptz not null default clock_timestamp(),
    primary key (account, mark_id)
);

-- The newest of a topic is the one that holds.
create index need_marks_by_topic on backmarket.need_marks (account, need, topic, mark_id desc);

comment on table backmarket.need_marks is
'What people did on the page about what waits for them: who, when, and their comment. The newest row of a topic holds.';
comment on column backmarket.need_marks.need is 'The kind of thing: refused, stuck, settlements, stock, quarantine, approvals.';
comment on column backmarket.need_marks.topic is 'What it is about, without the numbers that change.';
comment on column backmarket.need_marks.mark is
'resolved: away until it is found again or changes. ignored: away until it changes. approved and declined: a price.';
comment on column backmarket.need_marks.detail is 'What was told of it when it was marked: another detail is a change.';
comment on column backmarket.need_marks.run_path is 'Where Airflow shows the run that was started.';

-- A refusal by Back Market ends, too, where a person has it tried again: who that is stands in the ledger.
alter table backmarket.changes add column tried_again_by text;

comment on column backmarket.changes.tried_again_by is
'Who had this refused change tried again on the page; it is superseded, and the next plan is free to send the same.';

alter table backmarket.change_moves drop constraint change_moves_condition_check;
alter table backmarket.change_moves add check (
    condition in ('always', 'never sent', 'sent before', 'never sent, or tried again')
);

update backmarket.change_moves
set condition = 'never sent, or tried again'
where from_status = 'refused' and to_status = 'superseded';

create or replace function backmarket.check_change_move() returns trigger
language plpgsql
as $$
begin
    if new.status <> old.status and not exists (
        select 1
        from backmarket.change_moves as move
        where
            move.from_status = old.status
            and move.to_status = new.status
            and (
                move.condition = 'always'
                or (move.condition = 'never sent' and old.attempts = 0)
                or (move.condition = 'sent before' and old.attempts > 0)
                or (
                    move.condition = 'never sent, or tried again'
                    and (old.attempts = 0 or new.tried_again_by is not null)
                )
            )
    ) then
        raise exception 'Change % is % and cannot become %: see backmarket.change_moves.',
            old.change_id, old.status, new.status
            using errcode = 'check_violation';
    end if;
    if
        (new.payload, new.kind, new.subject, new.market, new.account)
        is distinct from (old.payload, old.kind, old.subject, old.market, old.account)
        and old.status not in ('planned', 'awaiting_approval', 'dry_run')
    then
        raise exception 'Change % is %: what was sent or decided cannot be rewritten.', old.change_id, old.status
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;
