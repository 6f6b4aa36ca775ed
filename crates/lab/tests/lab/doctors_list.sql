-- The doctors of ward $1, with key and version.
select on_call, array[id::text] as row_key, xmin::text as row_xmin, pg_current_snapshot()::text as row_snapshot
from clinic.doctor
where ward = $1;
