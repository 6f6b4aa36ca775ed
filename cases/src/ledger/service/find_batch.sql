-- What is in the books under these keys. $1 the keys.
select
    t.transfer_id,
    t.request_hash,
    t.legs[1][2] as entry
from ledger.transfers as t
where t.transfer_id = any ($1);
