-- More long texts that fit their page only compressed, with the method of now.
insert into everything (an_int, big) select number, repeat('once more a long text ' || number || ', ', 150 + number)
from generate_series(1, 60) as number;
