-- What find_account.sql reads, with the row's key and version for whoever watches. $1 the name.
select
    customer_id,
    array[name] as row_key,
    xmin::text as row_xmin
from smallbank.account
where name = $1;
