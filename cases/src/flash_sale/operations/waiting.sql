-- Who waits for a lock, for how long, and for whom. With the coalesced way nobody should: its one session is the only
-- writer of the hot row, the sweeper's apart.
select
    v.pid,
    v.application_name,
    now() - v.query_start as waiting_since,
    pg_blocking_pids(v.pid) as waits_for,
    left(v.query, 60) as statement
from pg_stat_activity as v
where v.wait_event_type = 'Lock'
order by v.query_start;
