-- What read_for_update.sql does, with the row's key and version for whoever watches. $1 the row.
select
    value,
    version,
    array[id::text] as row_key,
    xmin::text as row_xmin
from grid.cell
where id = $1
for update;
