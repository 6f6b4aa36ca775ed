-- The decisions about these transactions. $1: realm, $2: epochs, $3: transactions.
select d.epoch, d.transaction, d.is_commit
from pgstrata_coordinator.decision as d
join unnest($2::int[], $3::bigint[]) as t (epoch, transaction) on t.epoch = d.epoch and t.transaction = d.transaction
where d.realm = $1;
