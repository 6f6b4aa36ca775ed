-- A counter and the operations that raised it; dropped and made anew before each trial.
drop schema if exists counter cascade;
create schema counter;
create table counter.total (value bigint not null);
insert into counter.total values (0);
create table counter.operation (key uuid primary key);
