-- Appends $2 to list $1, which is made if it is not there.
insert into oracle.list as l (id, items)
values ($1, array[$2::bigint])
on conflict (id) do update
set items = l.items || excluded.items
returning array[id::text] as row_key, xmin::text as row_xmin;
