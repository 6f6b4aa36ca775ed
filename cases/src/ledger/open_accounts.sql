-- Opens accounts, with what the opening transfer of their currency gives each of them.
-- For each account: $1 id, $2 currency, $3 kind, $4 floor, $5 daily limit, $6 opening balance.
insert into ledger.accounts (account_id, currency, kind, floor, daily_limit, balance, last_entry)
select
    n.account_id,
    n.currency,
    n.kind::ledger.account_kind,
    n.floor,
    n.daily_limit,
    n.opening,
    case when n.opening = 0 then 0 else 1 end
from unnest($1::bigint[], $2::smallint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
    as n (account_id, currency, kind, floor, daily_limit, opening);
