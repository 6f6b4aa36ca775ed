-- Rows with numbers below the one given.
insert into item select number, number, 'payload ' || number, case when number % 3 = 0 then 'note' end
from generate_series(0, $1::int - 1) as number
