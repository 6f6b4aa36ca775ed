-- One server's part of a transfer: its entries, its accounts' balances, and what this server owes the others by it or is
-- owed, on the clearing accounts, so that the part balances by itself. Clearing accounts' rows are not touched.
-- $1 key, $2 request hash, $3 kind, $4 the transfer that it reverses, $5 today; for each leg on this server, in the order
-- of account ids: $6 account, $7 amount, $8 balance after it, $9 spent after it; and $10 clearing account, $11 its
-- currency, $12 the amount.
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
entry as materialized (
    select account_id, last_entry as number, currency, amount, balance
    from account
    union all
    select c.account_id, nextval('ledger.clearing_number'), c.currency, c.amount, 0
    from unnest($10::bigint[], $11::smallint[], $12::bigint[]) as c (account_id, currency, amount)
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
            select array_agg(array[entry.account_id, entry.number] order by entry.account_id)
            from entry
        )
    from posted
)
insert into ledger.entries (account_id, number, transfer_id, currency, amount, balance, posted_at)
select
    entry.account_id,
    entry.number,
    $1,
    entry.currency,
    entry.amount,
    entry.balance,
    posted.at
from entry
cross join posted
order by entry.account_id
returning
    account_id,
    number;
