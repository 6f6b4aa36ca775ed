-- A transfer behind advisory locks on both accounts, the smaller number first. The first number of each names what the second counts.
-- pgstrata: schema
create table account (id bigint primary key, balance bigint not null check (balance >= 0));
insert into account select id, 1000 from generate_series(1, 8) as id;
-- pgstrata: program transfer read committed
-- pgstrata: parameter from_account bigint = 1
-- pgstrata: parameter to_account bigint = 2
-- pgstrata: parameter amount bigint = 10
select pg_advisory_xact_lock(7101, cast(least(cast(:from_account as bigint), cast(:to_account as bigint)) as integer));
select pg_advisory_xact_lock(7101, cast(greatest(cast(:from_account as bigint), cast(:to_account as bigint)) as integer));
-- pgstrata: one row, else refused
select id from account where id = :from_account and balance >= :amount;
-- pgstrata: one row, else refused
update account set balance = balance - :amount where id = :from_account;
-- pgstrata: one row, else refused
update account set balance = balance + :amount where id = :to_account;
