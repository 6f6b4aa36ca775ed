-- Prepared transactions, oldest first. At most $1.
select transaction::text::bigint as xid,
       gid,
       database::text as database,
       (extract(epoch from prepared) * 1000000)::bigint as since_us
from pg_prepared_xacts
order by prepared
limit $1
