-- Accounts whose total stays the same.

create table account (
    id bigint primary key,
    balance numeric not null check (balance >= 0)
);
