-- Opens an account with nothing in it; no row comes back if the number is taken.
-- $1 the account, $2 its currency, $3 its floor, $4 its daily limit.
insert into ledger.accounts (account_id, currency, floor, daily_limit)
values ($1, $2, $3, $4)
on conflict (account_id) do nothing
returning account_id;
