-- Lists that are appended to: the workload whose order of versions can be read off the values.
create schema oracle;
create table oracle.list (id int primary key, items bigint[] not null);
