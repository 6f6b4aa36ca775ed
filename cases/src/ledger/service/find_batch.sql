-- What is in the books under these keys. $1 the keys.
select
    t.transfer_id,
    t.request_hash,
    (
        -- An aggregate, and no limit: with one, the planner may walk the accounts in order until it meets the transfer.
        select (array_agg(e.number order by e.account_id))[1]
        from ledger.entries as e
        where e.transfer_id = t.transfer_id
    ) as entry
from ledger.transfers as t
where t.transfer_id = any ($1);
