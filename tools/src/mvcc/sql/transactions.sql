-- Transactions that have an id and run: each holds a lock on its id, and so does each of its subtransactions, so that those of
-- one virtual transaction belong together. At most $1.
select lock.transactionid::text::bigint as xid,
       lock.pid,
       lock.virtualtransaction as virtual_id
from pg_locks lock
where lock.locktype = 'transactionid'
  and lock.granted
  and lock.mode = 'ExclusiveLock'
order by lock.transactionid::text::bigint desc
limit $1
