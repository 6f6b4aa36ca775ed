-- The tables that can be watched: ordinary tables and partitions, not those of the system; by schema and name.
select
    class.oid,
    namespace.nspname::text as schema,
    class.relname::text as name,
    array(
        select attribute.attname::text
        from pg_index as index
        cross join lateral unnest(index.indkey::int2[]) with ordinality as part (attnum, place)
        join pg_attribute as attribute on attribute.attrelid = class.oid and attribute.attnum = part.attnum
        where index.indrelid = class.oid and index.indisprimary
        order by part.place
    ) as key,
    case when class.reltuples >= 0 then class.reltuples::float8 end as rows,
    pg_relation_size(class.oid) as bytes,
    has_table_privilege(class.oid, 'select') as is_readable
from pg_class as class
join pg_namespace as namespace on namespace.oid = class.relnamespace
where class.relkind in ('r', 'm')
    and class.relpersistence <> 't'
    and namespace.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
order by namespace.nspname, class.relname
limit $1
