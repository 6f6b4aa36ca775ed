-- The schemas that a name can be qualified with, but for the server's own.
select n.nspname::text
from pg_catalog.pg_namespace n
where n.nspname not in ('pg_catalog', 'information_schema', 'public')
  and n.nspname !~ '^pg_(toast|temp)'
