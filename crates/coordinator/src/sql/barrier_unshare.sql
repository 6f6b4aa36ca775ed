-- Leaves the commit barrier. $1: lock class.
select pg_advisory_unlock_shared($1::int, 0);
