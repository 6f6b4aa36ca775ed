-- What the books come to, currency by currency: nothing, if they are right; and how much customers have together. Run it
-- from anywhere at any time: it is one snapshot, and it locks nothing.
select
    c.code as currency,
    sum(a.balance) as difference,
    sum(a.balance) filter (where a.kind = 'customer') as customers,
    count(*) as accounts
from ledger.accounts as a
join ledger.currencies as c using (currency)
group by c.code
order by c.code;
