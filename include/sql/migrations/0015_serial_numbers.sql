-- Whether a serial number is on another line is asked before each is sent.

create function backmarket.serial_key(serial_number text)
returns text
language sql immutable strict parallel safe
as $$
    select regexp_replace(
        upper(regexp_replace(serial_number collate "C", '[^A-Za-z0-9]', '', 'g')),
        '^(SERIALNUMBER|SERIALNO|SERIALNR|SERIAL|SN)',
        ''
    )
$$;

comment on function backmarket.serial_key is
'What all spellings of one serial number have in common: case, blanks, punctuation and a label in front are gone.';

create index order_lines_by_serial on backmarket.order_lines (account, backmarket.serial_key(serial_number))
where serial_number is not null;
