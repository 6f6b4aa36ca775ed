-- As audit.sql, account by account, with the number of the last entry that the balance includes.
select
    a.account_id,
    a.currency,
    a.balance,
    a.last_entry
from ledger.accounts as a
order by a.account_id;
