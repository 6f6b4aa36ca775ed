-- I6: a transfer is taken back at most once, and then to the last minor unit on each of its accounts. A row: an account
-- on which what was done and what took it back do not cancel, or a transfer with several reversals (account null).
with reversal as materialized (
    select
        t.transfer_id,
        t.reversal_of
    from ledger.transfers as t
    where t.reversal_of is not null
)
select
    b.reversal_of as transfer_id,
    b.account_id,
    sum(b.amount) as difference,
    count(*) as entries
from (
    select
        r.reversal_of,
        e.account_id,
        e.amount
    from (
        select transfer_id, reversal_of from reversal
        union all
        select reversal_of, reversal_of from reversal
    ) as r
    join ledger.entries as e using (transfer_id)
) as b
group by b.reversal_of, b.account_id
having sum(b.amount) <> 0
    or count(*) <> 2
union all
select
    r.reversal_of,
    null,
    null,
    count(*)
from reversal as r
group by r.reversal_of
having count(*) > 1;
