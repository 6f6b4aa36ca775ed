-- I3: an account's balance is what its entries add up to; they are numbered without a gap, and each continues the balance
-- of the one before. A row with a number: the entry where the account's story breaks. Without one: the account says
-- otherwise than its last entry.
select
    e.account_id,
    e.number,
    e.transfer_id,
    e.amount,
    e.balance,
    e.number_before,
    e.balance_before
from (
    select
        e.account_id,
        e.number,
        e.transfer_id,
        e.amount,
        e.balance,
        coalesce(lag(e.number) over w, 0) as number_before,
        coalesce(lag(e.balance) over w, 0) as balance_before
    from ledger.entries as e
    join ledger.accounts as a using (account_id)
    where a.kind <> 'clearing'
    window w as (partition by e.account_id order by e.number)
) as e
where e.number <> e.number_before + 1
    or e.balance <> e.balance_before + e.amount
union all
select
    a.account_id,
    null,
    null,
    null,
    a.balance,
    l.number,
    l.balance
from ledger.accounts as a
left join lateral (
    select
        e.number,
        e.balance
    from ledger.entries as e
    where e.account_id = a.account_id
    order by e.number desc
    limit 1
) as l on true
where a.kind <> 'clearing'
    and (a.last_entry, a.balance) is distinct from (coalesce(l.number, 0), coalesce(l.balance, 0));
