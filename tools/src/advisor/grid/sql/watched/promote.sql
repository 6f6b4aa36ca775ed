-- What promote.sql does, with the row's key and version for whoever watches. $1 the row.
update grid.cell
set value = value
where id = $1
returning
    value,
    version,
    array[id::text] as row_key,
    xmin::text as row_xmin;
