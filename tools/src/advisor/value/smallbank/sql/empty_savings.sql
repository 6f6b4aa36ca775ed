-- Takes everything out of savings. $1 the customer.
update smallbank.savings
set balance = 0
where customer_id = $1
returning balance;
