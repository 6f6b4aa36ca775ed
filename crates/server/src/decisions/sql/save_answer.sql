-- Keeps an answer to a question; one that is kept already stays as it is.

insert into pgstrata_history.answer (id, decision, document, made_by)
values ($1, $2, $3, $4)
on conflict (decision, id) do nothing;
