-- What each transfer leaves open between the servers. Over all of them, a transfer's amounts come to nothing; where they
-- do not, one server has its part and another has not.
select
    e.transfer_id,
    e.currency,
    sum(e.amount)::bigint as amount
from ledger.entries as e
join ledger.accounts as a using (account_id)
where a.kind = 'clearing'
group by e.transfer_id, e.currency;
