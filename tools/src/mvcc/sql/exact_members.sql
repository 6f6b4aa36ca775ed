-- Who is in multixacts $1, and how.
select wanted.id,
       member.xid::text::bigint as xid,
       member.mode
from unnest($1::bigint[]) as wanted(id)
cross join lateral pg_get_multixact_members(wanted.id::text::xid) as member
