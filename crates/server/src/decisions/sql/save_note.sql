-- Keeps a note; the key makes it safe to send twice.

insert into pgstrata_history.note (key, decision, body)
values ($1, $2, $3)
on conflict (decision, key) do nothing;
