-- Serializable transactions, as far as views tell: those that hold predicate locks. Conflicts between them cannot be seen so. At
-- most $1.
select lock.virtualtransaction as id,
       lock.pid,
       count(*) as locks
from pg_locks lock
where lock.mode = 'SIReadLock'
group by lock.virtualtransaction, lock.pid
order by lock.pid, lock.virtualtransaction
limit $1
