-- The addresses of staged_orders, tied to the very reading (read_no) they came with.
create temporary table staged_order_addresses (
    read_no bigint not null,
    order_id bigint not null,
    kind text not null,
    first_name text,
    last_name text,
    first_name_pronunciation text,
    last_name_pronunciation text,
    company text,
    street text,
    street2 text,
    postal_code text,
    city text,
    state text,
    country text,
    phone text,
    email text,
    customer_id_number text
)
