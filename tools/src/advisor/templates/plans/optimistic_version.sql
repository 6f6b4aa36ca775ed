-- A transfer that writes only what it has read: no row changed means that somebody was faster, and all is read again.
-- pgstrata: schema
create table account (id bigint primary key, balance bigint not null check (balance >= 0), version bigint not null default 0);
insert into account select id, 1000 from generate_series(1, 8) as id;
-- pgstrata: program transfer read committed
-- pgstrata: parameter from_account bigint = 1
-- pgstrata: parameter to_account bigint = 2
-- pgstrata: parameter amount bigint = 10
-- pgstrata: one row, else refused
-- pgstrata: keep version bigint
select version from account where id = :from_account and balance >= :amount;
-- pgstrata: one row, else again
update account set balance = balance - :amount, version = version + 1 where id = :from_account and version = :version;
-- pgstrata: one row, else refused
update account set balance = balance + :amount, version = version + 1 where id = :to_account;
