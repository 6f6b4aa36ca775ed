-- The table that writers fight over. Half-full pages leave room for versions without new index entries; pages are not given
-- back, because that would lock the table exclusively.
create table proof (
    id integer primary key,
    n integer not null,
    pad text not null
)
with (fillfactor = 50, vacuum_truncate = off, autovacuum_vacuum_threshold = 20);

create index proof_n on proof (n);
