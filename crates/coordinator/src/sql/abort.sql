-- Decides to abort each of these transactions unless it is decided. An insert of the same row that is under way is
-- waited for: this is what makes the outcome of a decision known whose answer was lost.
-- $1: realm, $2: epochs, $3: transactions.
insert into pgstrata_coordinator.decision (realm, epoch, transaction, is_commit)
select $1, t.epoch, t.transaction, false
from unnest($2::int[], $3::bigint[]) as t (epoch, transaction)
order by t.epoch, t.transaction
on conflict do nothing;
