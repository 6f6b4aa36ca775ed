-- Keeps a signed statement beside the chain. $1 its number, $2 the line.
insert into ledger_audit.statements (number, line)
values ($1, $2)
on conflict (number) do nothing;
