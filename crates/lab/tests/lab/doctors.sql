-- Doctors of two wards, all on call. At least one of a ward has to stay; only serializable transactions see to that.
drop schema if exists clinic cascade;
create schema clinic;
create table clinic.doctor (id int primary key, ward int not null, on_call boolean not null, seen int not null default 0);
alter table clinic.doctor replica identity full;
insert into clinic.doctor (id, ward, on_call)
select id, id % 2, true
from generate_series(1, 6) as id;
