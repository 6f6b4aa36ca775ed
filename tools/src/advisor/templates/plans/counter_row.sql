-- An invoice gets the next number of its series in the transaction that writes it: a rollback gives the number back.
-- pgstrata: schema
create table series (name text primary key, last bigint not null);
create table invoice (series text not null references series, number bigint not null, customer bigint not null, primary key (series, number));
insert into series values ('2026', 0);
-- pgstrata: program issue_invoice read committed
-- pgstrata: parameter series text = '2026'
-- pgstrata: parameter customer bigint = 5
-- pgstrata: one row, else refused
-- pgstrata: keep number bigint
update series set last = last + 1 where name = :series returning last;
-- pgstrata: one row, else refused
insert into invoice (series, number, customer) values (:series, :number, :customer);
