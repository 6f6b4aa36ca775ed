-- Where requests meet: the accounts with the most entries in the last minute. Reads at most the last 100,000 entries of
-- each account, so run it on a standby when there are many accounts.
select
    e.account_id,
    a.kind,
    count(*) as entries
from ledger.entries as e
join ledger.accounts as a using (account_id)
where e.posted_at > now() - interval '1 minute'
    and e.number > a.last_entry - 100000
group by e.account_id, a.kind
order by entries desc
limit 10;
