-- The prepared transactions of this database whose name begins so, oldest first. $1: prefix.
select gid, extract(epoch from clock_timestamp() - prepared)::float8 as age_s
from pg_prepared_xacts
where database = current_database()
    and starts_with(gid, $1::text)
order by prepared;
