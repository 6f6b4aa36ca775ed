-- The names of every value of infomask, and of every value of infomask2 with it in turn.
select mask, flags.raw_flags, flags.combined_flags
from generate_series(0, 65535) as mask, lateral heap_tuple_infomask_flags(mask, 65535 - mask) as flags
