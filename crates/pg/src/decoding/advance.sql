-- Moves the slot $1 to the position $2: what ends before it is not given out again, and the log may go.
select end_lsn::text
from pg_replication_slot_advance($1::text::name, $2::text::pg_lsn)
