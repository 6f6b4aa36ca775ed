-- Shows the records from one position to another by name. Needs the extension pg_walinspect.
select
  start_lsn::text as lsn,
  end_lsn::text as "end",
  xid::text as xid,
  resource_manager as manager,
  record_type as kind,
  description,
  block_ref as blocks
from pg_get_wal_records_info($1::text::pg_lsn, $2::text::pg_lsn)
order by start_lsn
