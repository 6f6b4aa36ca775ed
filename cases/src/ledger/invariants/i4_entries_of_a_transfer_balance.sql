-- I4: a transfer's entries come to nothing in each currency, stand on accounts that there are, in their currency, and at
-- most once on each; every transfer has entries and every entry its transfer.
select
    coalesce(t.transfer_id, e.transfer_id) as transfer_id,
    e.currency,
    e.difference,
    e.accounts,
    e.entries,
    t.transfer_id is null as has_no_transfer
from (
    select
        e.transfer_id,
        e.currency,
        sum(e.amount) as difference,
        count(distinct a.account_id) as accounts,
        count(*) as entries
    from ledger.entries as e
    left join ledger.accounts as a on a.account_id = e.account_id
        and a.currency = e.currency
    group by e.transfer_id, e.currency
) as e
full join ledger.transfers as t using (transfer_id)
where e.difference is distinct from 0
    or e.accounts <> e.entries
    or t.transfer_id is null;
