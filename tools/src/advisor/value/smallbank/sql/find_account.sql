-- Who has this name. $1 the name.
select customer_id
from smallbank.account
where name = $1;
