-- As read.sql, and from here on nobody changes them until this transaction has ended: what is read on one server holds
-- while something is written on the other. Locked in the order of ids, as everybody does. $1 the accounts' ids.
select
    a.account_id,
    a.currency,
    a.status = 'open' as is_open,
    a.balance,
    a.floor,
    a.daily_limit,
    case when a.spent_day = ledger.today() then a.spent else 0 end as spent,
    a.last_entry,
    a.revision,
    ledger.today() as today
from ledger.accounts as a
where a.account_id = any ($1)
order by a.account_id
for share;
