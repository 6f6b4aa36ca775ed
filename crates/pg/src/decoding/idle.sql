-- Logical slots of this database that begin with $1 and that nobody reads at the moment.
select slot_name::text
from pg_replication_slots
where starts_with(slot_name::text, $1)
  and database = current_database()
  and not active
order by slot_name
