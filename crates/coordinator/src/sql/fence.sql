-- No new session of this epoch is admitted on this shard. $1: realm, $2: epoch.
insert into pgstrata_coordinator.fence (realm, epoch)
values ($1, $2)
on conflict do nothing;
