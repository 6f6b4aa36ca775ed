-- So many rows to begin with, and one that no writer ever touches: a version that stays frozen.
insert into proof
select id, 0, 'first'
from generate_series(-1, $1 - 1) id
