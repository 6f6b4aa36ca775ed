-- The watched table, or the tables that hold its rows if it is partitioned, at most $2 of them: what it is, where it is on disk,
-- and whether looking at it would have to wait. $1 is its name, or its OID as digits.
with wanted as (
    select class.oid, class.relkind
    from pg_class class
    where class.oid = case when $1 ~ '^[0-9]{1,10}$' then $1::oid else to_regclass($1)::oid end
), leaf as (
    select wanted.oid as root, wanted.oid, 0 as number
    from wanted
    where wanted.relkind <> 'p'
    union all
    select wanted.oid, tree.relid::oid, (row_number() over (order by tree.relid::oid))::int
    from wanted
    cross join lateral pg_partition_tree(wanted.oid) as tree
    where wanted.relkind = 'p'
      and tree.isleaf
)
select leaf.root::bigint as root,
       (select format('%I.%I', space.nspname, class.relname)
        from pg_class class
        join pg_namespace space on space.oid = class.relnamespace
        where class.oid = leaf.root) as root_name,
       (select relkind::text from wanted) as root_kind,
       class.oid::bigint as oid,
       format('%I.%I', space.nspname, class.relname) as name,
       class.relkind::text as kind,
       class.relpersistence::text as persistence,
       class.relpersistence = 't' and class.relnamespace is distinct from pg_my_temp_schema() as is_temp_of_another,
       coalesce(method.amname = 'heap', false) as is_heap,
       class.relfilenode::bigint as file,
       row_security_active(class.oid) as hides_rows,
       has_table_privilege(class.oid, 'select') as may_read,
       lock.is_locked,
       -- Asking for the size takes a lock on the table, so only when it is to be had.
       case
           when lock.is_locked or class.relkind not in ('r', 'm', 't') then null
           else pg_relation_size(class.oid) / current_setting('block_size')::bigint
       end as pages,
       greatest(class.relpages, 0)::bigint as planner_pages,
       count(*) over () as total
from leaf
join pg_class class on class.oid = leaf.oid
join pg_namespace space on space.oid = class.relnamespace
left join pg_am method on method.oid = class.relam
cross join lateral (
    select exists (
        select
        from pg_locks
        where pg_locks.locktype = 'relation'
          and pg_locks.relation = class.oid
          and pg_locks.mode = 'AccessExclusiveLock'
          and pg_locks.database = (select oid from pg_database where datname = current_database())
    ) as is_locked
) lock
order by leaf.number
limit $2
