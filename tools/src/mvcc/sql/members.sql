-- The members of a multixact.
select member.xid::text::bigint as xid, member.mode
from pg_get_multixact_members($1::bigint::text::xid) as member(xid, mode)
