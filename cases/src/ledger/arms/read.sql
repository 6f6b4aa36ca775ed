-- The accounts of a transfer, as this session sees them now. $1 their ids.
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
order by a.account_id;
