-- I8: on no day has more left an account than its limit allows. Limits do not change in a trial; a reversal spends nothing.
select
    a.account_id,
    a.daily_limit,
    (e.posted_at at time zone 'utc')::date as day,
    -sum(e.amount) as spent
from ledger.accounts as a
join ledger.entries as e using (account_id)
join ledger.transfers as t using (transfer_id)
where a.daily_limit is not null
    and e.amount < 0
    and t.kind <> 3
group by a.account_id, a.daily_limit, (e.posted_at at time zone 'utc')::date
having -sum(e.amount) > a.daily_limit;
