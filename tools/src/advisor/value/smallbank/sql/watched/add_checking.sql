-- What add_checking.sql does, with the row's key and new version for whoever watches. $1 the customer, $2 the amount.
update smallbank.checking
set balance = balance + $2
where customer_id = $1
returning
    balance,
    array[customer_id::text] as row_key,
    xmin::text as row_xmin;
