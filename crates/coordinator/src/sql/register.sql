-- Begins a new epoch. $1: realm, $2: the instance's name for people.
insert into pgstrata_coordinator.instance (realm, holder)
values ($1, $2)
returning epoch;
