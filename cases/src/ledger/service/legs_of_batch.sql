-- The legs of transfers that are to be taken back, and whether they were before. $1 the transfers.
select
    t.transfer_id,
    e.account_id,
    e.currency,
    e.amount,
    t.kind,
    exists (
        select from ledger.transfers as r
        where r.reversal_of = t.transfer_id
    ) as is_reversed
from ledger.transfers as t
join ledger.entries as e using (transfer_id)
where t.transfer_id = any ($1)
order by
    t.transfer_id,
    e.account_id;
