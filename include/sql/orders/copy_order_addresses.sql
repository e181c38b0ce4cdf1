-- One row per address of a downloaded order document.
copy staged_order_addresses (
    read_no, order_id, kind, first_name, last_name, first_name_pronunciation, last_name_pronunciation,
    company, street, street2, postal_code, city, state, country, phone, email, customer_id_number
) from stdin
