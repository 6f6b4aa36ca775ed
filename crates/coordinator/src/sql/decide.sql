-- The decision to commit: one row, whoever writes it first. No row is returned when the transaction was aborted by
-- somebody else, or the key has been decided. $1: realm, $2: epoch, $3: transaction, $4: key.
insert into pgstrata_coordinator.decision (realm, epoch, transaction, key, is_commit)
values ($1, $2, $3, $4, true)
on conflict do nothing
returning is_commit;
