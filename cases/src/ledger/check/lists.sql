-- The books as lists: each account's transfers in the order of its entries.
select
    e.account_id,
    array_agg(e.transfer_id order by e.number) as transfer_ids
from ledger.entries as e
group by e.account_id;
