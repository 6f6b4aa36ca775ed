-- SmallBank's five programs (Alomari, Cahill, Fekete & Roehm, ICDE 2008): no two of them are dangerous, three are.

-- pgstrata: program Balance
-- pgstrata: frequency 0.15
begin;
select customer_id from account where name = :name \gset
select balance from savings where customer_id = :customer_id;
select balance from checking where customer_id = :customer_id;
commit;

-- pgstrata: program DepositChecking
-- pgstrata: frequency 0.25
begin;
select customer_id from account where name = :name \gset
update checking set balance = balance + :amount where customer_id = :customer_id;
commit;

-- pgstrata: program TransactSavings
-- pgstrata: frequency 0.15
begin;
select customer_id from account where name = :name \gset
update savings set balance = balance + :amount where customer_id = :customer_id;
commit;

-- pgstrata: program Amalgamate
-- pgstrata: frequency 0.15
begin;
select customer_id as from_id from account where name = :from_name \gset
select customer_id as to_id from account where name = :to_name \gset
with old as (select customer_id, balance from savings where customer_id = :from_id for update)
update savings set balance = 0 from old where savings.customer_id = :from_id returning old.balance as saved \gset
with old as (select customer_id, balance from checking where customer_id = :from_id for update)
update checking set balance = 0 from old where checking.customer_id = :from_id returning old.balance as checked \gset
update checking set balance = balance + :saved::numeric + :checked::numeric where customer_id = :to_id;
commit;

-- pgstrata: program WriteCheck
-- pgstrata: frequency 0.30
begin;
select customer_id from account where name = :name \gset
select balance as saved from savings where customer_id = :customer_id \gset
select balance as checked from checking where customer_id = :customer_id \gset
update checking
set balance = balance - case when :saved::numeric + :checked::numeric < :amount then :amount::numeric + 1 else :amount end
where customer_id = :customer_id;
commit;
