-- Where the auditor keeps the chain inside the audited database. What is signed is also in a file outside it.
create schema if not exists ledger_audit;

create table if not exists ledger_audit.chain (
    -- The entry's place in commit order, from 1.
    seq bigint primary key,
    -- Where its transaction's commit record begins.
    lsn pg_lsn not null,
    xid bigint not null,
    payload_hash bytea not null,
    prev_hash bytea not null,
    hash bytea not null
);

create table if not exists ledger_audit.statements (
    -- 0 is the opening, the others are heads.
    number bigint primary key,
    -- The signed statement with its signature, as in the file.
    line text not null
);
