-- Opens accounts for $1 customers with $2 in each of their accounts.
with customer as (
    select customer_id
    from generate_series(0, $1::bigint - 1) as customer_id
),
named as (
    insert into smallbank.account (name, customer_id)
    select
        'customer ' || customer_id,
        customer_id
    from customer
),
saved as (
    insert into smallbank.savings (customer_id, balance)
    select
        customer_id,
        $2::bigint
    from customer
),
checked as (
    insert into smallbank.checking (customer_id, balance)
    select
        customer_id,
        $2::bigint
    from customer
)
insert into smallbank.opening (total)
values (2 * $1::bigint * $2::bigint);
