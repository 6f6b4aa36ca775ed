-- Whether a row is still at the version that was read, and keeps it there. $1 the row, $2 the version.
select
    value,
    version
from grid.cell
where id = $1
    and version = $2
for share;
