-- What clients were told, loaded by COPY: one row for each operation that somebody was told is done.
create temporary table acknowledged (
    key uuid not null,
    order_id bigint not null,
    user_id bigint not null
);
