-- The library's own schema: which instance may write for a shard, and the row of the barrier's second way.
-- Run at the first start by a role that may create a schema; or by hand, after which the service's role needs
-- only: usage on the schema; select, insert, update on its tables.
-- The lock keeps two first starts from creating the same schema at once, which "if not exists" does not.
begin;
select pg_advisory_xact_lock(1885827953, -1);
create schema if not exists pgstrata_sequencer;
create table if not exists pgstrata_sequencer.shard (
    shard int primary key,
    -- Grows with each instance that takes the shard, and with each reconnection.
    epoch bigint not null check (epoch > 0),
    -- The number of the last flush that committed, as its instance counts.
    flush bigint not null check (flush >= 0),
    -- The instance that has it, by a number of its own: it may begin another epoch after a lost connection.
    token uuid not null,
    -- The same, and when it took the shard, for people.
    holder text not null,
    taken_at timestamptz not null
);
create table if not exists pgstrata_sequencer.barrier (
    only_row boolean primary key default true check (only_row),
    flush bigint not null
);
insert into pgstrata_sequencer.barrier (flush)
values (0)
on conflict do nothing;
commit;
