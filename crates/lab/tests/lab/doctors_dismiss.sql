-- Doctor $1 leaves the hospital.
delete from clinic.doctor
where id = $1
returning array[id::text] as row_key;
