-- Shows where a table's rows are: the files that log records name.
select
  coalesce(nullif(c.reltablespace, 0), d.dattablespace) as tablespace,
  d.oid as database,
  pg_relation_filenode(c.oid) as file
from pg_class as c, pg_database as d
where c.oid = $1::text::regclass
and d.datname = current_database()
