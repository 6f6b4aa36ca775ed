-- Tables that can be watched, the biggest first; at most $1. Sizes are the planner's, which takes no lock.
select class.oid::bigint as oid,
       format('%I.%I', space.nspname, class.relname) as name,
       class.relkind::text as kind,
       greatest(class.relpages, 0)::bigint as pages,
       greatest(class.reltuples, 0)::bigint as rows,
       class.relpersistence::text as persistence,
       class.relispartition as is_partition,
       (select coalesce(array_agg(attribute.attname::text order by position.ordinality), '{}')
        from pg_index index
        cross join lateral unnest(index.indkey::int2[]) with ordinality as position(number, ordinality)
        join pg_attribute attribute on attribute.attrelid = class.oid and attribute.attnum = position.number
        where index.indrelid = class.oid
          and index.indisprimary) as key,
       has_table_privilege(class.oid, 'select') as may_read
from pg_class class
join pg_namespace space on space.oid = class.relnamespace
where class.relkind in ('r', 'p', 'm')
  and space.nspname !~ '^pg_'
  and space.nspname <> 'information_schema'
order by class.relpages desc, 2
limit $1
