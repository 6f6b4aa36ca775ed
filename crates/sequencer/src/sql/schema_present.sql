-- Whether schema.sql has been run: a role without the right to create things can still use what is there.
select to_regclass('pgstrata_sequencer.shard') is not null
    and to_regclass('pgstrata_sequencer.barrier') is not null;
