-- Takes everything out of checking. $1 the customer.
update smallbank.checking
set balance = 0
where customer_id = $1
returning balance;
