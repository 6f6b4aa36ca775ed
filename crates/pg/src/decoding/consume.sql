-- Decodes whole transactions up to the position $3, and stops after the first that makes it more than $4 messages;
-- what was given out is never given out again.
select data
from pg_logical_slot_get_binary_changes($1::text::name, $3::text::pg_lsn, $4,
         'proto_version', '1', 'publication_names', $2::text, 'messages', 'true')
