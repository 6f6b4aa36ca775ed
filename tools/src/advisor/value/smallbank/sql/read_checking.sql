-- What a customer has in checking. $1 the customer.
select balance
from smallbank.checking
where customer_id = $1;
