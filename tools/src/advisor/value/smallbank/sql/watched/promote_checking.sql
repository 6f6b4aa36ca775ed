-- What promote_checking.sql does, with the row's key and new version for whoever watches. $1 the customer.
update smallbank.checking
set balance = balance
where customer_id = $1
returning
    balance,
    array[customer_id::text] as row_key,
    xmin::text as row_xmin;
