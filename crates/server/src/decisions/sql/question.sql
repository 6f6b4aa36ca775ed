-- One question.

select
    question,
    number,
    (extract(epoch from made_at) * 1000000)::bigint
from pgstrata_history.decision
where id = $1;
