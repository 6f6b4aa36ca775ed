-- I2: nobody has spent what he has not, in every snapshot. The table's constraint says the same of each row as it is
-- written; this looks at the rows, and at the balance after each account's last entry.
select
    a.account_id,
    a.floor,
    a.balance,
    e.balance as balance_of_last_entry
from ledger.accounts as a
left join ledger.entries as e on e.account_id = a.account_id
    and e.number = a.last_entry
where a.kind <> 'clearing'
    and least(a.balance, e.balance) < a.floor;
