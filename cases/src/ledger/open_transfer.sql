-- The transfer that gave the accounts of a currency what they began with. $1 its key, $2 the currency.
with transfer as (
    insert into ledger.transfers (transfer_id, request_hash, kind, posted_at, legs)
    select
        $1,
        0,
        4,
        now(),
        array_agg(array[a.account_id, 1] order by a.account_id)
    from ledger.accounts as a
    where a.currency = $2
        and a.balance <> 0
)
insert into ledger.entries (account_id, number, transfer_id, currency, amount, balance, posted_at)
select
    a.account_id,
    1,
    $1,
    a.currency,
    a.balance,
    a.balance,
    now()
from ledger.accounts as a
where a.currency = $2
    and a.balance <> 0;
