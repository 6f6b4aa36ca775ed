-- A payment and the message about it: both commit, or none. A relay sends the messages afterwards.
-- pgstrata: schema
create table account (id bigint primary key, balance bigint not null check (balance >= 0));
create table outbox (id bigint generated always as identity primary key, topic text not null, body text not null);
insert into account select id, 1000 from generate_series(1, 8) as id;
-- pgstrata: program pay read committed
-- pgstrata: parameter from_account bigint = 1
-- pgstrata: parameter amount bigint = 10
-- pgstrata: one row, else refused
update account set balance = balance - :amount where id = :from_account and balance >= :amount;
-- pgstrata: one row, else refused
insert into outbox (topic, body) values ('paid', cast(cast(:amount as bigint) as text));
