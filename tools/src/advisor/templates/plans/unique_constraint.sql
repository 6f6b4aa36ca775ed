-- A name that exists once: insert it, and read from the count whether it was free.
-- pgstrata: schema
create table member (id bigint generated always as identity primary key, name text not null unique);
-- pgstrata: program register read committed
-- pgstrata: parameter name text = 'ada'
-- pgstrata: one row, else refused
insert into member (name) values (:name) on conflict (name) do nothing;
