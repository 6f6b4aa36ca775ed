-- The whole list $1, with key and version.
select items, array[id::text] as row_key, xmin::text as row_xmin, pg_current_snapshot()::text as row_snapshot
from oracle.list
where id = $1;
