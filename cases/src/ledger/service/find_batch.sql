-- What is in the books under these keys. $1 the keys.
select
    t.transfer_id,
    t.request_hash,
    (
        select e.number
        from ledger.entries as e
        where e.transfer_id = t.transfer_id
        order by e.account_id
        limit 1
    ) as entry
from ledger.transfers as t
where t.transfer_id = any ($1);
