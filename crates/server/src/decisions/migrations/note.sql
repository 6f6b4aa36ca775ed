-- Writes down that a migration was applied.

insert into pgstrata_history.migration (version, name, checksum)
values ($1, $2, $3);
