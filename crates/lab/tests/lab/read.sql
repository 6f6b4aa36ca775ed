-- The wrong way, first half: reads the counter to write it later.
select value
from counter.total
