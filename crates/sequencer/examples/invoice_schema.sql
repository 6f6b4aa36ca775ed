-- Invoices with numbers that leave no gap, and the last number that was given.
create table invoice (
    -- The client's idempotency key.
    key uuid primary key,
    number bigint not null unique
);

create table invoice_counter (
    only_row boolean primary key default true check (only_row),
    last_number bigint not null
);

insert into invoice_counter (last_number)
values (0);
