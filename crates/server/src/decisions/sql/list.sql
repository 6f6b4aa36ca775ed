-- Decisions before a number, newest first, each with how its last answer came out.

select
    decision.id,
    decision.number,
    coalesce(decision.question::jsonb ->> 'title', ''),
    (extract(epoch from decision.made_at) * 1000000)::bigint,
    (select count(*) from pgstrata_history.answer where answer.decision = decision.id),
    (select count(*) from pgstrata_history.note where note.decision = decision.id),
    last.document::jsonb -> 'summary'
from pgstrata_history.decision
left join lateral (
    select document
    from pgstrata_history.answer
    where answer.decision = decision.id
    order by answer.number desc
    limit 1
) as last on true
where decision.number < $1
order by decision.number desc
limit $2;
