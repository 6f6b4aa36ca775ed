-- A transfer that reads, decides and writes: at serializable the server refuses what no serial order explains.
-- pgstrata: schema
create table account (id bigint primary key, balance bigint not null check (balance >= 0));
insert into account select id, 1000 from generate_series(1, 8) as id;
-- pgstrata: program transfer serializable
-- pgstrata: parameter from_account bigint = 1
-- pgstrata: parameter to_account bigint = 2
-- pgstrata: parameter amount bigint = 10
-- pgstrata: one row, else refused
select id from account where id = :from_account and balance >= :amount;
-- pgstrata: one row, else refused
update account set balance = balance - :amount where id = :from_account;
-- pgstrata: one row, else refused
update account set balance = balance + :amount where id = :to_account;
