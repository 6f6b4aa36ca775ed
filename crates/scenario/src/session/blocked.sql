-- Whether a session waits for a lock that another session of the same script holds, or for one of them to let go of a
-- snapshot. Part of every build of the server, made for its own isolation tests (src/backend/utils/adt/lockfuncs.c): it
-- does not count waits for others, such as autovacuum.
select pg_catalog.pg_isolation_test_session_is_blocked($1, $2)
