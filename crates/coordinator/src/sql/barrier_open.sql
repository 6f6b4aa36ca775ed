-- Opens the commit barrier again. $1: lock class.
select pg_advisory_unlock($1::int, 0);
