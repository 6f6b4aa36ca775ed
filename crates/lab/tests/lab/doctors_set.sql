-- Doctor $1 is on call or not, as $2 says.
update clinic.doctor
set on_call = $2
where id = $1
returning array[id::text] as row_key, xmin::text as row_xmin;
