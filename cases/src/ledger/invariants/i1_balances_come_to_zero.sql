-- I1: what is in one account has come out of others: in every snapshot, the balances of each currency add up to nothing.
-- Clearing accounts keep no balance; theirs is what their entries add up to. A row: money that was made or lost.
select
    c.code as currency,
    sum(b.balance) as money_too_much
from (
    select
        a.currency,
        a.balance
    from ledger.accounts as a
    union all
    select
        e.currency,
        e.amount
    from ledger.accounts as a
    join ledger.entries as e using (account_id)
    where a.kind = 'clearing'
) as b
join ledger.currencies as c on c.currency = b.currency
group by c.code
having sum(b.balance) <> 0;
