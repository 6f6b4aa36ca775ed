-- What a customer has in savings, which nobody else locks or changes until we are done. $1 the customer.
select balance
from smallbank.savings
where customer_id = $1
for update;
