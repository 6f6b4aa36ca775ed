-- Reads a row that is not going to be written, and keeps it from being written. $1 the row.
select
    value,
    version
from grid.cell
where id = $1
for share;
