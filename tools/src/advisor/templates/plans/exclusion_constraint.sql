-- A booking that overlaps no other of the same room: the server refuses the second one with 23P01.
-- pgstrata: schema
create extension if not exists btree_gist;
create table booking (room bigint not null, during tstzrange not null, exclude using gist (room with =, during with &&));
-- pgstrata: program book read committed
-- pgstrata: parameter room bigint = 1
-- pgstrata: parameter begins timestamptz = '2026-11-23 10:00+00'
-- pgstrata: parameter ends timestamptz = '2026-11-23 11:00+00'
-- pgstrata: one row, else refused
insert into booking (room, during) values (:room, tstzrange(:begins, :ends, '[)'))
on conflict do nothing;
