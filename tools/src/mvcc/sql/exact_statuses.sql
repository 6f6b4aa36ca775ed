-- How transactions $1 ended; null for those that are too old to be known, or have not been given out.
select wanted.xid,
       case
           when wanted.xid < pg_snapshot_xmax(pg_current_snapshot())::text::bigint
               then pg_xact_status(wanted.xid::text::xid8)
       end as status
from unnest($1::bigint[]) as wanted(xid)
