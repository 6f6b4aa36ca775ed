-- What all balances of each currency come to, in one snapshot: nothing, if the books are right. One number for all:
-- how far the currencies are from nothing, added up.
select coalesce(sum(abs(c.total)), 0)::bigint as difference
from (
    select sum(a.balance) as total
    from ledger.accounts as a
    group by a.currency
) as c;
