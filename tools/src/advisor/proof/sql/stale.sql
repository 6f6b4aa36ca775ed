-- Scratch schemas of proofs that this role may remove, with the key of the advisory lock that their owner holds while it
-- lives. The schema of a scratch schema's views goes with it.
select
    n.nspname::text,
    pg_catalog.hashtextextended(n.nspname, 0)
from pg_catalog.pg_namespace n
where n.nspname like 'pgstrata\_proof\_%'
  and n.nspname not like '%\_views'
  and pg_catalog.pg_has_role(n.nspowner, 'usage')
