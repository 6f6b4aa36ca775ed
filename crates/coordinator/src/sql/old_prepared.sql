-- The alarm: transactions of this server, whoever prepared them, that have been prepared for longer than so many seconds.
-- They hold their locks and keep VACUUM from removing anything younger, over restarts too. $1: seconds.
select gid, database, owner, extract(epoch from clock_timestamp() - prepared)::float8 as age_s
from pg_prepared_xacts
where prepared < clock_timestamp() - make_interval(secs => $1::float8)
order by prepared;
