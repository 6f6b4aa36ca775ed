-- Fills the grid's table with $1 rows.
insert into grid.cell (id, value, version)
select
    id,
    100,
    0
from generate_series(1, $1::bigint) as id;
