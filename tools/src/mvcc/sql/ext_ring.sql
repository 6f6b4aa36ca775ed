-- Waits that ended after number $1 and were longer than $2 seconds, from the ring of the preloaded mvcc_visualizer: none is missed
-- because nobody looked. At most the newest $3.
select wait.pid,
       (extract(epoch from wait.since) * 1000000)::bigint as since_us,
       (extract(epoch from wait.ended) * 1000000)::bigint as until_us,
       wait.lock_type,
       wait.mode,
       wait.object,
       wait.blockers,
       wait.soft_blockers,
       false as in_cycle,
       max(wait.seq) over () as newest,
       wait.ended is not null and wait.ended - wait.since >= make_interval(secs => $2) as is_shown
from mvcc_wait_ring($1) as wait
order by wait.seq desc
limit $3
