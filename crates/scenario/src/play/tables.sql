-- The tables of the schema in the order of their names, each with the columns of its primary key as a list in SQL.
select c.relname,
       (select string_agg(quote_ident(a.attname), ', ' order by array_position(i.indkey::int2[], a.attnum))
        from pg_catalog.pg_index i
        join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey::int2[])
        where i.indrelid = c.oid and i.indisprimary)
from pg_catalog.pg_class c
where c.relkind in ('r', 'p')
  and not c.relispartition
  and c.relnamespace = (select oid from pg_catalog.pg_namespace where nspname = current_schema())
order by c.relname
