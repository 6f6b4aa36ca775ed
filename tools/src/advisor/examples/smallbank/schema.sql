-- SmallBank: a customer has a savings and a checking account, and together they must not be overdrawn unnoticed.

create table account (
    name text primary key,
    customer_id bigint not null unique
);

create table savings (
    customer_id bigint primary key,
    balance numeric not null
);

create table checking (
    customer_id bigint primary key,
    balance numeric not null
);
