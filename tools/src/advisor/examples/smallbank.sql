-- SmallBank: five programs of a bank with a savings and a checking account per customer (Alomari, Cahill, Fekete & Röhm,
-- The Cost of Serializability on Platforms That Use Snapshot Isolation, ICDE 2008). At repeatable read, Balance,
-- TransactSavings and WriteCheck together are not serializable; each pair of them is.

create table account (
  name text primary key,
  customer_id bigint not null unique
);

create table savings (
  customer_id bigint primary key,
  balance numeric not null
);

create table checking (
  customer_id bigint primary key,
  balance numeric not null
);

-- Programs

-- Moves all that one customer has to another's checking account.
-- pgstrata: program Amalgamate
-- pgstrata: frequency 0.15
-- pgstrata: parameter from_name text = 'alice'
-- pgstrata: parameter to_name text = 'bob'
begin;
select customer_id as from_id from account where name = :from_name \gset
select customer_id as to_id from account where name = :to_name \gset
select balance as savings from savings where customer_id = :from_id for update \gset
select balance as checking from checking where customer_id = :from_id for update \gset
update savings set balance = balance - :savings::numeric where customer_id = :from_id;
update checking set balance = balance - :checking::numeric where customer_id = :from_id;
update checking set balance = balance + :savings::numeric + :checking::numeric where customer_id = :to_id;
commit;

-- Reads what a customer has in both accounts.
-- pgstrata: program Balance
-- pgstrata: frequency 0.15
-- pgstrata: parameter name text = 'alice'
begin;
select customer_id from account where name = :name \gset
select balance from savings where customer_id = :customer_id;
select balance from checking where customer_id = :customer_id;
commit;

-- Pays into a checking account.
-- pgstrata: program DepositChecking
-- pgstrata: frequency 0.15
-- pgstrata: parameter name text = 'alice'
-- pgstrata: parameter amount numeric = 10
begin;
select customer_id from account where name = :name \gset
update checking set balance = balance + :amount::numeric where customer_id = :customer_id;
commit;

-- Pays into a savings account, or takes out of it.
-- pgstrata: program TransactSavings
-- pgstrata: frequency 0.15
-- pgstrata: parameter name text = 'alice'
-- pgstrata: parameter amount numeric = 20
begin;
select customer_id from account where name = :name \gset
update savings set balance = balance + :amount::numeric where customer_id = :customer_id;
commit;

-- Cashes a check, with a penalty of one when both accounts together do not cover it.
-- pgstrata: program WriteCheck
-- pgstrata: frequency 0.40
-- pgstrata: parameter name text = 'alice'
-- pgstrata: parameter amount numeric = 10
begin;
select customer_id from account where name = :name \gset
select balance as savings from savings where customer_id = :customer_id \gset
select balance as checking from checking where customer_id = :customer_id \gset
update checking
set balance = balance - :amount::numeric
  - case when :savings::numeric + :checking::numeric < :amount::numeric then 1 else 0 end
where customer_id = :customer_id;
commit;
