-- The answers to a question, newest first.

select
    id,
    document,
    made_by,
    (extract(epoch from made_at) * 1000000)::bigint
from pgstrata_history.answer
where decision = $1
order by number desc
limit $2;
