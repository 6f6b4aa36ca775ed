-- Write skew in its usual dress: each of two doctors sees the other one on call, and leaves.

-- pgstrata: program GoOffCall
begin;
select count(*) from doctor where on_call;
update doctor set on_call = false where id = :doctor;
commit;

-- pgstrata: program GoOnCall
begin;
update doctor set on_call = true where id = :doctor;
commit;
