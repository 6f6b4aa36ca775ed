-- A session's admission: held as long as the session lives, so that whoever fences the epoch can wait until the last
-- one has ended. $1: lock class, $2: epoch.
select pg_advisory_lock_shared($1::int, $2::int);
