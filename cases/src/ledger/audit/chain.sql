-- The chain as it is kept.
select
    c.seq,
    c.lsn,
    c.xid,
    c.payload_hash,
    c.prev_hash,
    c.hash
from ledger_audit.chain as c
order by c.seq;
