-- The legs of transfers that are to be taken back, and whether they were before. $1 the transfers.
select
    t.transfer_id,
    e.account_id,
    e.currency,
    e.amount,
    t.kind,
    -- Not "exists", which may be answered by reading all transfers into a hash table.
    (
        select true
        from ledger.transfers as r
        where r.reversal_of = t.transfer_id
    ) is not null as is_reversed
from ledger.transfers as t
cross join lateral (
    -- No transfer has more legs than these but the opening of the accounts, which is not taken back. The planner would
    -- guess a thousand, and go to lengths to be prepared for them.
    select generate_subscripts(t.legs, 1) as place
    limit 64
) as leg
cross join lateral (
    -- The offset changes nothing but the plan: one look into the primary key for each leg.
    select
        n.account_id,
        n.currency,
        n.amount
    from ledger.entries as n
    where n.account_id = t.legs[leg.place][1]
        and n.number = t.legs[leg.place][2]
        and n.transfer_id = t.transfer_id
    offset 0
) as e
where t.transfer_id = any ($1)
order by
    t.transfer_id,
    e.account_id;
