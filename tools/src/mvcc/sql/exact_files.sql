-- The files of tables $1, as the log names them.
select class.oid::bigint as oid,
       coalesce(nullif(class.reltablespace, 0), base.dattablespace)::bigint as tablespace,
       base.oid::bigint as database,
       pg_relation_filenode(class.oid)::bigint as file
from unnest($1::bigint[]) as wanted(oid)
join pg_class class on class.oid = wanted.oid::oid
join pg_database base on base.datname = current_database()
where pg_relation_filenode(class.oid) is not null
  and class.relpersistence = 'p'
