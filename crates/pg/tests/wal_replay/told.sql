-- Shows what the server's own functions tell of records: where each is, whose, and what it is called.
select
  start_lsn::text as lsn,
  end_lsn::text as "end",
  resource_manager as manager,
  record_type as kind,
  xid::text as xid
from pg_get_wal_records_info($1::text::pg_lsn, $2::text::pg_lsn)
order by start_lsn
