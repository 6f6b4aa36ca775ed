-- How often rows were written, by the rows' own count.
select sum(version)::bigint as writes
from grid.cell;
