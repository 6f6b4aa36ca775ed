-- Reads a row without a lock. $1 the row.
select
    value,
    version
from grid.cell
where id = $1;
