-- Writes a row if it is still at the version that was read. $1 the row, $2 its value, $3 its version, $4 the one that
-- was read.
update grid.cell
set
    value = $2,
    version = $3
where id = $1
    and version = $4
returning version;
