-- What must be known to read the table's rows out of the log: the cluster, the table, its files.
select
    s.system_identifier::text as system_identifier,
    k.timeline_id as timeline,
    pg_size_bytes(current_setting('wal_segment_size')) as segment_size,
    d.oid as database,
    c.oid as relation,
    case when c.reltablespace = 0 then d.dattablespace else c.reltablespace end as tablespace,
    pg_relation_filenode(c.oid) as file
from pg_control_system() as s,
    pg_control_checkpoint() as k,
    pg_class as c,
    pg_database as d
where c.oid = 'ledger.entries'::regclass
    and d.datname = current_database();
