-- The chain as lines that `pgstrata ledger audit --chain FILE` reads: `psql --tuples-only --no-align --file=export.sql`.
select json_build_object(
    'seq', c.seq,
    'lsn', c.lsn,
    'xid', c.xid,
    'payload_hash', encode(c.payload_hash, 'hex'),
    'prev_hash', encode(c.prev_hash, 'hex'),
    'hash', encode(c.hash, 'hex')
)::text as line
from ledger_audit.chain as c
order by c.seq;
