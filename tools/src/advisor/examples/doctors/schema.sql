-- Doctors on call: at least one of them must be.

create table doctor (
    id bigint primary key,
    name text not null,
    on_call boolean not null
);
