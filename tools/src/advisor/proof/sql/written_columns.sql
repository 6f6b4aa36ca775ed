-- The columns of a schema's tables that statements can write, for the notes of who wrote them. Partitions take over what
-- their table has.
select
    c.relname::text,
    a.attname::text
from pg_catalog.pg_attribute a
join pg_catalog.pg_class c on c.oid = a.attrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1
  and c.relkind in ('r', 'p')
  and not c.relispartition
  and not a.attisdropped
  and a.attnum > 0
  and a.attgenerated = ''
  and not exists (select from pg_catalog.pg_inherits i where i.inhrelid = c.oid)
order by c.oid, a.attnum
