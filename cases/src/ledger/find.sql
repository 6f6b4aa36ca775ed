-- What is in the books under a key, if anything. $1 the key.
select
    t.request_hash,
    (
        select e.number
        from ledger.entries as e
        where e.transfer_id = t.transfer_id
        order by e.account_id
        limit 1
    ) as entry
from ledger.transfers as t
where t.transfer_id = $1;
