-- Store a folder as it was read by id; answers whether it is new. Its order is the line's where it names none.
-- :account, :care_folder_id, :orderline_id, :order_id, :state, :country_code, :issues, :return_labels, :date_creation,
-- :date_modification, :date_last_message, :date_closed, :last_message_by, :waits_for, :waits_since, :document, :read_at
insert into backmarket.care_folders as stored (
    account, care_folder_id, orderline_id, order_id, state, country_code, issues, return_labels, date_creation,
    date_modification, date_last_message, date_closed, last_message_by, waits_for, waits_since, document, read_at
)
values (
    %(account)s, %(care_folder_id)s, %(orderline_id)s,
    coalesce(
        %(order_id)s::bigint,
        (
            select line.order_id
            from backmarket.order_lines as line
            where line.account = %(account)s and line.orderline_id = %(orderline_id)s
        )
    ),
    %(state)s, %(country_code)s, %(issues)s, %(return_labels)s, %(date_creation)s, %(date_modification)s,
    %(date_last_message)s, %(date_closed)s, %(last_message_by)s, %(waits_for)s, %(waits_since)s, %(document)s,
    %(read_at)s
)
on conflict (account, care_folder_id) do update set
    orderline_id = coalesce(excluded.orderline_id, stored.orderline_id),
    order_id = coalesce(excluded.order_id, stored.order_id),
    state = excluded.state,
    country_code = excluded.country_code,
    issues = excluded.issues,
    return_labels = excluded.return_labels,
    date_creation = excluded.date_creation,
    date_modification = excluded.date_modification,
    date_last_message = excluded.date_last_message,
    date_closed = excluded.date_closed,
    last_message_by = excluded.last_message_by,
    waits_for = excluded.waits_for,
    waits_since = excluded.waits_since,
    document = excluded.document,
    read_at = excluded.read_at,
    gone_at = null
where stored.read_at <= excluded.read_at
returning stored.first_seen_at = now();
