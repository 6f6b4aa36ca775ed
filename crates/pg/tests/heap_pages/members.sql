-- The members of a multixact.
select xid::text::bigint, mode from pg_get_multixact_members($1::bigint::text::xid)
