-- I11: when everything has come to rest, nothing is prepared: it would keep its locks for ever. A row: a transaction that
-- nobody finished.
select
    p.gid,
    p.prepared
from pg_prepared_xacts as p
where p.database = current_database();
