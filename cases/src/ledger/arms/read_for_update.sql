-- As read.sql, and from here on nobody else changes them: rows are locked in the order of their ids, by everybody, so
-- that no two wait for each other. $1 the accounts' ids.
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
for no key update;
