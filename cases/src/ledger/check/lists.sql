-- The books as lists: each account's transfers in the order of its entries. Not those of clearing accounts, which nobody
-- locks and whose numbers say nothing about order.
select
    e.account_id,
    array_agg(e.transfer_id order by e.number) as transfer_ids
from ledger.entries as e
join ledger.accounts as a using (account_id)
where a.kind <> 'clearing'
group by e.account_id;
