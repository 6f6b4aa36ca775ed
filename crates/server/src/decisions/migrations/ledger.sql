-- Which migrations were applied, with the SHA-256 of each as it was then.

create schema if not exists pgstrata_history;

create table if not exists pgstrata_history.migration (
    version integer primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default clock_timestamp()
);
