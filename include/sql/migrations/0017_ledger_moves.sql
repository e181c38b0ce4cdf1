-- The moves that a change may make, enforced where the ledger lives: a statement written by hand is held to them, too.

create table backmarket.change_moves (
    from_status text not null,
    to_status text not null,
    condition text not null default 'always' check (condition in ('always', 'never sent', 'sent before')),
    primary key (from_status, to_status)
);

comment on table backmarket.change_moves is
'From which status to which a row of backmarket.changes may move; all other moves are refused.';

insert into backmarket.change_moves (from_status, to_status, condition) values
-- What waits may be planned otherwise, be sent, or be wanted no more.
('planned', 'awaiting_approval', 'always'),
('planned', 'dry_run', 'always'),
('planned', 'sent', 'always'),
('planned', 'superseded', 'always'),
('awaiting_approval', 'planned', 'always'),
('awaiting_approval', 'dry_run', 'always'),
('awaiting_approval', 'superseded', 'always'),
('dry_run', 'planned', 'always'),
('dry_run', 'awaiting_approval', 'always'),
('dry_run', 'superseded', 'always'),
-- Put back into the queue after a sending that seemed to have no effect, and seen on Back Market after all.
('planned', 'confirmed', 'sent before'),
-- What was sent ends by what Back Market shows.
('sent', 'confirmed', 'always'),
('sent', 'refused', 'always'),
('sent', 'unknown', 'always'),
('sent', 'planned', 'always'),
('sent', 'superseded', 'always'),
('unknown', 'confirmed', 'always'),
('unknown', 'refused', 'always'),
('unknown', 'planned', 'always'),
('unknown', 'superseded', 'always'),
-- A refusal made here ends when its reason does; one by Back Market stays.
('refused', 'superseded', 'never sent');

create function backmarket.check_change_move() returns trigger
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

create trigger change_moves before update on backmarket.changes
for each row execute function backmarket.check_change_move();

create function backmarket.check_change_delete() returns trigger
language plpgsql
as $$
begin
    raise exception 'Change % is % and may still be under way: it cannot be deleted.', old.change_id, old.status
        using errcode = 'check_violation';
end
$$;

create trigger change_deletes before delete on backmarket.changes
for each row when (old.status in ('sent', 'unknown')) execute function backmarket.check_change_delete();
