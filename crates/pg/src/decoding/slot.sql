-- Makes the logical replication slot $1 for PostgreSQL's own plugin; a temporary one ends with its session.
select lsn::text
from pg_create_logical_replication_slot($1::text::name, 'pgoutput', $2)
