-- Drops the slot $1, if it is there.
select pg_drop_replication_slot(slot_name)
from pg_replication_slots
where slot_name = $1::text::name
