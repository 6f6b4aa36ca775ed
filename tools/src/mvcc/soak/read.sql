-- Reads a balance. $1 the account.
select balance
from account
where id = $1;
