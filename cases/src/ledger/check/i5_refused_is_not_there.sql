-- I5: who was refused, and was never told anything else, has no transfer in the books.
select
    k.transfer_id,
    t.posted_at
from acknowledged as k
join ledger.transfers as t using (transfer_id)
where k.entry is null;
