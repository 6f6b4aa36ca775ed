-- The transfer that gave the accounts of a currency what they began with. $1 its key, $2 the currency.
with transfer as (
    insert into ledger.transfers (transfer_id, request_hash, kind, posted_at)
    values ($1, 0, 4, now())
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
