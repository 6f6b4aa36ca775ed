-- Whether schema.sql has been run: a role without the right to create things can still use what is there.
select to_regclass('pgstrata_coordinator.instance') is not null
    and to_regclass('pgstrata_coordinator.decision') is not null
    and to_regclass('pgstrata_coordinator.fence') is not null;
