-- Who waits for a lock for longer than $1 seconds, by mvcc_visualizer; the longest waits first, at most $2.
select pid,
       (extract(epoch from since) * 1000000)::bigint as since_us,
       null::bigint as until_us,
       lock_type,
       mode,
       object,
       blockers,
       soft_blockers,
       in_cycle,
       count(*) over () as total
from mvcc_waits()
where pid <> pg_backend_pid()
  and since <= clock_timestamp() - make_interval(secs => $1)
order by since
limit $2
