-- Doctors on call: at least one doctor must stay (Cahill, Röhm & Fekete, Serializable Isolation for Snapshot Databases,
-- SIGMOD 2008). Two doctors who leave at once each see the other: write skew. Only serializable refuses it.

create table doctors (
  shift_id int not null,
  doctor_id int not null,
  on_call boolean not null,
  primary key (shift_id, doctor_id)
);

-- Programs

-- Leaves the shift if another doctor stays.
-- pgstrata: program GoOffCall
-- pgstrata: frequency 0.5
-- pgstrata: parameter shift int = 1
-- pgstrata: parameter doctor int = 1
begin;
select count(*) as others from doctors where shift_id = :shift and on_call and doctor_id <> :doctor \gset
update doctors set on_call = false where shift_id = :shift and doctor_id = :doctor and :others::bigint >= 1;
commit;

-- Joins the shift.
-- pgstrata: program GoOnCall
-- pgstrata: frequency 0.5
-- pgstrata: parameter shift int = 1
-- pgstrata: parameter doctor int = 1
begin;
update doctors set on_call = true where shift_id = :shift and doctor_id = :doctor;
commit;
