-- The entries of each account but the ones that are on every server, in their order.
select
    e.account_id,
    e.transfer_id
from ledger.entries as e
join ledger.accounts as a using (account_id)
where a.kind not in ('clearing', 'cash')
order by e.account_id, e.number;
