-- I7: who was told "posted" finds the transfer in the books, with the entry that he was told of.
select
    k.transfer_id,
    k.entry as acknowledged_entry,
    e.number as entry,
    t.posted_at
from acknowledged as k
left join ledger.transfers as t using (transfer_id)
left join (
    select
        e.transfer_id,
        (array_agg(e.number order by e.account_id))[1] as number
    from ledger.entries as e
    group by e.transfer_id
) as e using (transfer_id)
where k.entry is not null
    and (t.transfer_id is null or e.number is distinct from k.entry);
