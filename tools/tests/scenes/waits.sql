-- Which of these processes wait, and for whom.
select pid, pg_blocking_pids(pid)
from unnest($1::int[]) as pid
where cardinality(pg_blocking_pids(pid)) > 0
