-- The tables and materialised views that a script can have made, whose rows all sessions see. A session's temporary
-- tables are its own, and cannot be read by others.
select
    n.nspname::text,
    c.relname::text
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'm')
  and c.relpersistence <> 't'
  and c.relispopulated
  and n.nspname <> 'information_schema'
  and n.nspname !~ '^pg_'
order by 1, 2
