-- Millions of answers at once.
copy acknowledged (transfer_id, entry) from stdin (format binary);
