-- What is in the books under a key, if anything. $1 the key.
select
    t.request_hash,
    t.legs[1][2] as entry
from ledger.transfers as t
where t.transfer_id = $1;
