-- Writes a row. $1 the row, $2 its value, $3 its version.
update grid.cell
set
    value = $2,
    version = $3
where id = $1
returning version;
