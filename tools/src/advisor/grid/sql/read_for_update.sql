-- Reads a row that is going to be written, and keeps others from writing it. $1 the row.
select
    value,
    version
from grid.cell
where id = $1
for update;
