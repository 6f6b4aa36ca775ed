-- Closes the segment that is being written, if there is anything in it, and names the last one that is complete then.
select pg_walfile_name(s.position - 1::numeric) as segment,
       ((pg_size_bytes(current_setting('wal_segment_size'))::numeric
         * ceil((s.position - '0/0'::pg_lsn) / pg_size_bytes(current_setting('wal_segment_size'))))
        + '0/0'::pg_lsn)::text as next_segment
from (select pg_switch_wal() as position) as s
