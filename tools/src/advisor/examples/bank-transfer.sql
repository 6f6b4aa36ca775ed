-- A bank transfer as a function, and a report that adds up all accounts.

create table accounts (
  id bigint primary key,
  owner text not null,
  balance numeric not null
);

create table transfers (
  id bigint generated always as identity primary key,
  from_id bigint not null references accounts,
  to_id bigint not null references accounts,
  amount numeric not null
);

-- Programs

-- pgstrata: frequency 0.9
-- pgstrata: parameter from_account bigint = 1
-- pgstrata: parameter to_account bigint = 2
-- pgstrata: parameter how_much numeric = 10
create function transfer(from_account bigint, to_account bigint, how_much numeric) returns boolean language plpgsql as $$
declare
  available numeric;
begin
  select balance into available from accounts where id = from_account;
  if available < how_much then
    return false;
  end if;
  update accounts set balance = balance - how_much where id = from_account;
  update accounts set balance = balance + how_much where id = to_account;
  insert into transfers (from_id, to_id, amount) values (from_account, to_account, how_much);
  return true;
end $$;

-- pgstrata: program Report
-- pgstrata: frequency 0.1
begin;
select sum(balance) from accounts;
select count(*), sum(amount) from transfers;
commit;
