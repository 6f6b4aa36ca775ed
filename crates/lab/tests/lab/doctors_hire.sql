-- Doctor $1 comes to ward $2.
insert into clinic.doctor (id, ward, on_call)
values ($1, $2, true)
returning array[id::text] as row_key, xmin::text as row_xmin;
