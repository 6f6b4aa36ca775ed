-- Functions of the server that SQL calls by name and that touch no tables, from which builtins.txt is made: all that are
-- not volatile, and the volatile ones that are known to be harmless; without what only operators, types and indexes call.
select distinct proname collate "C"
from pg_proc as function
where pronamespace = 'pg_catalog'::regnamespace
  and prokind in ('f', 'a', 'w')
  and (provolatile <> 'v' or proname in (
    'clock_timestamp', 'random', 'random_normal', 'gen_random_uuid', 'uuidv4', 'uuidv7', 'timeofday', 'pg_sleep',
    'pg_sleep_for', 'pg_sleep_until', 'nextval', 'currval', 'lastval', 'pg_notify', 'setseed', 'pg_is_in_recovery',
    'pg_current_wal_lsn', 'pg_current_wal_insert_lsn', 'pg_blocking_pids', 'pg_xact_status', 'txid_status',
    'pg_relation_size', 'pg_total_relation_size', 'pg_table_size', 'pg_database_size'))
  and proname !~ '^(table|schema|database|cursor|query)_to_xml|^pg_advisory|^pg_try_advisory|^RI_|^binary_upgrade|^lo_'
  and proname !~ '^pg_stat|^pg_show|^ts_stat|^ts_rewrite|^gin_|^gist_|^spg_|^brin_|^hash_|^bt|^setval$|^_pg'
  and proname !~ 'handler$|send$|recv$|_support$|typmodin$|typmodout$|sel$|_accum|_sfunc|_ssfunc|_finalfn|_combine'
  and proname !~ 'serialize$|transfn$|sortsupport$'
  and coalesce(obj_description(function.oid, 'pg_proc'), '')
    !~* '^(implementation of|internal|I/O|convert |aggregate transition|(input|output)\M|hash$|less-equal)'
  and prorettype not in ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype, 'cstring'::regtype)
order by 1;
