-- Writes one transfer, its entries and its accounts' balances in one statement. The balances are those that the program
-- computed from what it has read: that nobody has changed them since is for the way of reading to ensure.
-- The number of an entry is allotted here, by the row itself.
-- $1 key, $2 request hash, $3 kind, $4 the transfer that it reverses, $5 today; and for each leg, in the order of account
-- ids: $6 account, $7 amount, $8 balance after it, $9 spent after it.
with posted as materialized (
    select clock_timestamp() as at
),
account as (
    update ledger.accounts as a
    set
        balance = p.balance,
        spent = p.spent,
        spent_day = $5,
        last_entry = a.last_entry + 1
    from unnest($6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[]) as p (account_id, amount, balance, spent)
    where a.account_id = p.account_id
    returning
        a.account_id,
        a.currency,
        a.last_entry,
        p.amount,
        p.balance
),
transfer as (
    insert into ledger.transfers (transfer_id, request_hash, kind, reversal_of, posted_at, legs)
    select
        $1,
        $2,
        $3,
        $4,
        posted.at,
        (
            select array_agg(array[account.account_id, account.last_entry] order by account.account_id)
            from account
        )
    from posted
)
insert into ledger.entries (account_id, number, transfer_id, currency, amount, balance, posted_at)
select
    account.account_id,
    account.last_entry,
    $1,
    account.currency,
    account.amount,
    account.balance,
    posted.at
from account
cross join posted
order by account.account_id
returning
    account_id,
    number;
