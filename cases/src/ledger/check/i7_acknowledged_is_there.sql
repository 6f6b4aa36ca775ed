-- I7: who was told "posted" finds the transfer in the books, with the entry that he was told of.
select
    k.transfer_id,
    k.entry as acknowledged_entry,
    e.number as entry,
    t.posted_at
from acknowledged as k
left join ledger.transfers as t using (transfer_id)
left join lateral (
    select e.number
    from ledger.entries as e
    where e.transfer_id = k.transfer_id
    order by e.account_id
    limit 1
) as e on true
where k.entry is not null
    and (t.transfer_id is null or e.number is distinct from k.entry);
