-- I4: a transfer's entries come to nothing in each currency, stand on accounts that there are, in their currency, and at
-- most once on each; every transfer has entries, says where they are, and every entry has its transfer.
select
    coalesce(t.transfer_id, e.transfer_id) as transfer_id,
    e.currency,
    e.difference,
    e.accounts,
    e.entries,
    t.transfer_id is null as has_no_transfer,
    false as is_elsewhere
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
    or t.transfer_id is null
union all
select
    t.transfer_id,
    null,
    null,
    null,
    e.entries,
    false,
    true
from ledger.transfers as t
left join (
    select
        e.transfer_id,
        array_agg(array[e.account_id, e.number] order by e.account_id) as legs,
        count(*) as entries
    from ledger.entries as e
    group by e.transfer_id
) as e using (transfer_id)
where t.legs is distinct from e.legs;
