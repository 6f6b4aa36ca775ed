-- The tables of publication $1, each with its primary key and how updates and deletes identify the old row.
select p.schemaname::text as schema,
       p.tablename::text as name,
       c.oid as oid,
       array(
         select a.attname::text
         from pg_index i
         cross join lateral unnest(i.indkey) with ordinality as k (attnum, place)
         join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
         where i.indrelid = c.oid
           and i.indisprimary
           and (c.relreplident <> 'i' or i.indisreplident)
         order by k.place
       ) as primary_key,
       c.relreplident = 'f' as is_full,
       case c.relreplident
         when 'f' then true
         when 'n' then false
         when 'i' then exists (select from pg_index i where i.indrelid = c.oid and i.indisreplident)
         else exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)
       end as is_identified
from pg_publication_tables p
join pg_namespace n on n.nspname = p.schemaname
join pg_class c on c.relname = p.tablename and c.relnamespace = n.oid
where p.pubname = $1
order by p.schemaname, p.tablename
