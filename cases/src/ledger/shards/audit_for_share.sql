-- As audit.sql, and nobody changes any account until this transaction has ended.
select
    a.account_id,
    a.currency,
    a.balance,
    a.last_entry
from ledger.accounts as a
where a.kind <> 'clearing'
order by a.account_id
for share;
