-- What a customer has in savings. $1 the customer.
select balance
from smallbank.savings
where customer_id = $1;
