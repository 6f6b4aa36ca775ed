-- What share_checking.sql reads, with the row's key and version for whoever watches. $1 the customer.
select
    balance,
    array[customer_id::text] as row_key,
    xmin::text as row_xmin
from smallbank.checking
where customer_id = $1
for share;
