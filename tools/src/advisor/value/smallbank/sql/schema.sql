-- SmallBank (Alomari, Cahill, Fekete and Röhm, ICDE 2008): customers with a savings and a checking account.
-- fillfactor: room
-- on the page for new versions, so that updates stay there and touch no index.
create schema smallbank;

create table smallbank.account (
    name text primary key,
    customer_id bigint not null unique
);

create table smallbank.savings (
    customer_id bigint primary key,
    balance bigint not null
) with (fillfactor = 20);

create table smallbank.checking (
    customer_id bigint primary key,
    balance bigint not null
) with (fillfactor = 20);

-- What all accounts held in the beginning.
create table smallbank.opening (
    total bigint not null
);
