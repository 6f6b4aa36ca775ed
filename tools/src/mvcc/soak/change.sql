-- Changes a balance. $1 the account, $2 by how much.
update account
set balance = balance + $2
where id = $1;
