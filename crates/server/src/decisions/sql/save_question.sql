-- Keeps a question; one that is kept already stays as it is.

insert into pgstrata_history.decision (id, question)
values ($1, $2)
on conflict (id) do nothing;
