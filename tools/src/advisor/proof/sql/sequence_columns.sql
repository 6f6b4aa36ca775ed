-- The columns of a schema that take their value from a sequence or by chance, whether they do so as identity columns, and
-- whether it is a UUID. Partitions
-- take over what their table has.
select
    c.relname::text,
    a.attname::text,
    a.attidentity <> '',
    a.atttypid = 'uuid'::regtype
from pg_catalog.pg_attribute a
join pg_catalog.pg_class c on c.oid = a.attrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where n.nspname = $1
  and c.relkind in ('r', 'p')
  and not c.relispartition
  and not a.attisdropped
  and a.attnum > 0
  and (a.attidentity <> '' or pg_catalog.pg_get_expr(d.adbin, d.adrelid) ~ '^(nextval|gen_random_uuid)\(')
order by c.oid, a.attnum
