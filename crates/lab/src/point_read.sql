-- Reads one account's balance by primary key: what pgbench's select-only script does.
select abalance
from pgbench_accounts
where aid = $1
