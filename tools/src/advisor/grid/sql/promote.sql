-- Reads a row by writing it as it is: whoever else writes it meanwhile fails, or makes us fail. $1 the row.
update grid.cell
set value = value
where id = $1
returning
    value,
    version;
