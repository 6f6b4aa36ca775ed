-- Closes the commit barrier: nobody is in a commit phase while this is held. $1: lock class.
select pg_advisory_lock($1::int, 0);
