-- So many rows to begin with.
insert into proof
select id, 0, 'first'
from generate_series(0, $1 - 1) id
