-- A page of an account's statement, with what it opens and closes with, in one snapshot. One row more than the page has
-- tells that there is another.
-- $1 the account, $2 from when, $3 until when (not including), $4 the last entry of the page before, $5 entries a page.
with span as (
    select
        a.account_id,
        a.currency,
        ledger.last_entry_before(a.account_id, $2) as before_first,
        ledger.last_entry_before(a.account_id, $3) as last
    from ledger.accounts as a
    where a.account_id = $1
)
select
    s.currency,
    coalesce(o.balance, 0) as opening_balance,
    coalesce(c.balance, 0) as closing_balance,
    e.number,
    e.transfer_id,
    e.kind,
    e.amount,
    e.balance,
    e.posted_at
from span as s
left join ledger.entries as o on o.account_id = s.account_id
    and o.number = s.before_first
left join ledger.entries as c on c.account_id = s.account_id
    and c.number = s.last
left join lateral (
    select
        n.number,
        n.transfer_id,
        t.kind,
        n.amount,
        n.balance,
        n.posted_at
    from ledger.entries as n
    join ledger.transfers as t using (transfer_id)
    where n.account_id = s.account_id
        and n.number > greatest(s.before_first, $4::bigint)
        and n.number <= s.last
    order by n.number
    limit $5::bigint + 1
) as e on true
order by e.number;
