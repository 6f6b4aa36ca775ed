-- The tables of a schema whose rows note who wrote them, with the columns that users see and those of the primary key.
-- Partitions take over what their table has.
select
    c.relname::text,
    array(
        select a.attname::text
        from pg_catalog.pg_attribute a
        where a.attrelid = c.oid
          and a.attnum > 0
          and not a.attisdropped
          and a.attname <> 'pgstrata_writers'
        order by a.attnum
    ),
    array(
        select a.attname::text
        from pg_catalog.pg_index i
        join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
        where i.indrelid = c.oid
          and i.indisprimary
        order by a.attnum
    )
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1
  and c.relkind in ('r', 'p')
  and not c.relispartition
  and not exists (select from pg_catalog.pg_inherits i where i.inhrelid = c.oid)
order by c.oid
