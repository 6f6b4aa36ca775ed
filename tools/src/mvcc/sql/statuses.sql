-- How transactions stand: null for one that is too old to be known.
select wanted.xid, pg_xact_status(wanted.xid::text::xid8) as status
from unnest($1::bigint[]) as wanted(xid)
