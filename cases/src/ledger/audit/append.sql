-- Adds links to the chain. $1 seq, $2 lsn, $3 xid, $4 payload hash, $5 previous hash, $6 hash.
insert into ledger_audit.chain (seq, lsn, xid, payload_hash, prev_hash, hash)
select
    n.seq,
    n.lsn,
    n.xid,
    n.payload_hash,
    n.prev_hash,
    n.hash
from unnest($1::bigint[], $2::pg_lsn[], $3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[])
    as n (seq, lsn, xid, payload_hash, prev_hash, hash);
