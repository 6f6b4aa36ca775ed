-- What clients were told is in the books: the transfer and the number of its entry on the account of the smallest id.
create temporary table if not exists acknowledged (
    transfer_id uuid not null,
    entry bigint not null
);
truncate acknowledged;
