-- Adds to checking. $1 the customer, $2 the amount.
update smallbank.checking
set balance = balance + $2
where customer_id = $1
returning balance;
