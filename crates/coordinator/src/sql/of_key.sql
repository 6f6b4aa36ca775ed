-- What was decided under a key, and in which transaction. $1: realm, $2: key.
select is_commit, epoch, transaction
from pgstrata_coordinator.decision
where realm = $1
    and key = $2;
