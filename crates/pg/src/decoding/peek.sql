-- Decodes as consume.sql does, and leaves the slot where it is.
select data
from pg_logical_slot_peek_binary_changes($1::text::name, $3::text::pg_lsn, $4,
         'proto_version', '1', 'publication_names', $2::text, 'messages', 'true')
