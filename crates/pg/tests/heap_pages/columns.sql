-- A table's columns as they are stored, dropped ones too.
select
    attname::text, atttypid, attlen, attalign, attisdropped,
    case when atthasmissing then (attmissingval::text::text[])[1] end
from pg_attribute
where attrelid = $1::text::regclass and attnum > 0
order by attnum
