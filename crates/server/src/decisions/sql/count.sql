-- How many decisions are kept, and how many notes one of them has.

select
    (select count(*) from pgstrata_history.decision),
    (select count(*) from pgstrata_history.note where decision = $1);
