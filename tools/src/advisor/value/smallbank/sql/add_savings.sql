-- Adds to savings. $1 the customer, $2 the amount.
update smallbank.savings
set balance = balance + $2
where customer_id = $1
returning balance;
