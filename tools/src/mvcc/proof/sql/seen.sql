-- Where the versions are that this transaction sees: page, line pointer, key.
select (ctid::text::point)[0]::bigint,
       (ctid::text::point)[1]::integer,
       id
from proof
