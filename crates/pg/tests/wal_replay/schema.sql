-- Tables that random work is done on: one with an index on its key alone, so that many updates are HOT, where each new
-- version notes the place of the one it replaced; one whose rows move between partitions.
create extension if not exists pageinspect;
create table account (
  id int primary key,
  amount int not null,
  was tid,
  note text
) with (fillfactor = 80, autovacuum_enabled = off);
create table parted (id int, part int not null) partition by list (part);
create table parted_1 partition of parted for values in (1);
create table parted_2 partition of parted for values in (2);
insert into account (id, amount, note) select g, g, 'note ' || g from generate_series(1, 40) as g;
insert into parted select g, 1 + g % 2 from generate_series(1, 20) as g;
