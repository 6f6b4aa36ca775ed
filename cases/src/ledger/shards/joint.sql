-- The joint accounts of this server. $1 the smallest and $2 the largest id.
select
    a.account_id,
    a.balance
from ledger.accounts as a
where a.account_id between $1 and $2
order by a.account_id;
