-- The legs of a transfer that is to be taken back, and whether it was before. $1 the transfer.
select
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
where t.transfer_id = $1
order by e.account_id;
