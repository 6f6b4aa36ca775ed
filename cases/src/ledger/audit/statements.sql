-- The signed statements that are kept beside the chain.
select s.line
from ledger_audit.statements as s
order by s.number;
