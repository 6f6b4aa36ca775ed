-- The tables of a schema in the order of their names.
select relname
from pg_catalog.pg_class
where relkind in ('r', 'p') and not relispartition and relnamespace = pg_catalog.to_regnamespace($1)
order by relname
