-- One doctor, with key and version. $1 the doctor.
select on_call, seen, array[id::text] as row_key, xmin::text as row_xmin, pg_current_snapshot()::text as row_snapshot
from clinic.doctor
where id = $1;
