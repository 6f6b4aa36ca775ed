-- A transfer that reads before it writes loses updates at read committed; one that computes in the update does not.

-- pgstrata: program TransferByReading
begin;
select balance as balance_from from account where id = :from \gset
select balance as balance_to from account where id = :to \gset
update account set balance = :balance_from::numeric - :amount where id = :from;
update account set balance = :balance_to::numeric + :amount where id = :to;
commit;

-- pgstrata: program TransferInPlace
begin;
update account set balance = balance - :amount where id = :from;
update account set balance = balance + :amount where id = :to;
commit;
