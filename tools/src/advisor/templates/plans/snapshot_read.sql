-- A report that sees one moment: repeatable read, read only, no lock and no retry.
-- pgstrata: schema
create table account (id bigint primary key, balance bigint not null check (balance >= 0));
insert into account select id, 1000 from generate_series(1, 8) as id;
-- pgstrata: program balance_sheet repeatable read
-- pgstrata: one row, else refused
-- pgstrata: keep total bigint
select cast(sum(balance) as bigint) as total from account;
