-- What a customer has in savings, read by writing it as it is: a concurrent writer is noticed. $1 the customer.
update smallbank.savings
set balance = balance
where customer_id = $1
returning balance;
