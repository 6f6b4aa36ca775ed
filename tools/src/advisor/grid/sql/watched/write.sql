-- What write.sql does, with the row's key and version for whoever watches. $1 the row, $2 its value, $3 its version.
update grid.cell
set
    value = $2,
    version = $3
where id = $1
returning
    value,
    version,
    array[id::text] as row_key,
    xmin::text as row_xmin;
