-- The notes to a decision, oldest first.

select
    body,
    (extract(epoch from made_at) * 1000000)::bigint
from pgstrata_history.note
where decision = $1
order by number
limit $2;
