-- Decides that nothing is ever committed under this key, unless something was. $1: realm, $2: epoch, $3: a transaction
-- number of that epoch that nothing is done under, $4: key.
insert into pgstrata_coordinator.decision (realm, epoch, transaction, key, is_commit)
values ($1, $2, $3, $4, false)
on conflict do nothing;
