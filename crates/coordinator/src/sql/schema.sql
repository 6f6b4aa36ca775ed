-- The library's own schema, the same on every shard; instances and decisions are used on the home shard only.
-- Run at the first start by a role that may create a schema; or by hand, after which the service's role needs only:
-- usage on the schema; select, insert, update, delete on its tables.
-- The lock keeps two first starts from creating the same schema at once, which "if not exists" does not.
begin;
select pg_advisory_xact_lock(1885536256, -1);
create schema if not exists pgstrata_coordinator;
create table if not exists pgstrata_coordinator.instance (
    -- Part of every name that the instance prepares under; never used again.
    epoch int generated always as identity primary key,
    realm int not null,
    -- For people.
    holder text not null,
    opened_at timestamptz not null default clock_timestamp(),
    -- From here on none of its sessions is let in.
    fenced_at timestamptz,
    -- From here on no shard has a session of it: whatever it did is done.
    closed_at timestamptz
);
create table if not exists pgstrata_coordinator.decision (
    realm int not null,
    epoch int not null,
    transaction bigint not null,
    -- The caller's idempotency key; null when somebody decided to abort who knows only the transaction.
    key uuid,
    is_commit boolean not null,
    decided_at timestamptz not null default clock_timestamp(),
    -- Whoever writes the row first has decided.
    primary key (realm, epoch, transaction)
);
create unique index if not exists decision_key on pgstrata_coordinator.decision (realm, key) where key is not null;
create index if not exists decision_age on pgstrata_coordinator.decision using brin (decided_at);
create table if not exists pgstrata_coordinator.fence (
    realm int not null,
    epoch int not null,
    fenced_at timestamptz not null default clock_timestamp(),
    primary key (realm, epoch)
);
commit;
