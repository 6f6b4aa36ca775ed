-- What pageinspect says of a page's header.
select lsn::text, checksum::int, flags::int, lower::int, upper::int, special::int, prune_xid::text::bigint
from page_header($1::bytea)
