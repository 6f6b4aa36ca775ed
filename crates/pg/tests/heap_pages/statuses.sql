-- How transactions stand, prepared ones told from running ones.
select xid, coalesce(
    (select 'prepared' from pg_prepared_xacts where transaction::text::bigint = xid),
    pg_xact_status(xid::text::xid8),
    'unknown'
)
from unnest($1::bigint[]) as xid
