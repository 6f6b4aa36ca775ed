-- What confirm.sql does, with the row's key and version for whoever watches. $1 the row, $2 the version.
select
    value,
    version,
    array[id::text] as row_key,
    xmin::text as row_xmin
from grid.cell
where id = $1
    and version = $2
for share;
