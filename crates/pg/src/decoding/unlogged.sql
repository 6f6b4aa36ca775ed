-- Tables whose changes are in no log, so that nobody can decode them: unlogged and temporary ones.
select n.nspname::text as schema,
       c.relname::text as name
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r'
  and c.relpersistence in ('u', 't')
order by n.nspname, c.relname
