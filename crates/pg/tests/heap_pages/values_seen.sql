-- Each row's place and its values as their types print them.
select
    ctid::text,
    array[
        shown(a_bool), shown(a_char), shown(a_name), shown(a_smallint), shown(an_int), shown(a_bigint), shown(a_real),
        shown(a_double), shown(a_numeric), shown(a_money_like), shown(a_text), shown(a_varchar), shown(a_bpchar), shown(a_bytea),
        shown(a_date), shown(a_time), shown(a_timetz), shown(a_timestamp), shown(a_timestamptz), shown(an_interval), shown(a_uuid),
        shown(a_json), shown(a_jsonb), shown(an_oid), shown(a_tid), shown(an_xid8), shown(an_lsn), shown(an_inet), shown(a_cidr),
        shown(a_macaddr), shown(bits), shown(ints), shown(texts), shown(numerics), shown(timestamps), shown(bools),
        shown(documents), shown(some_oids), shown(big), shown(later), shown(later_null)
    ]
from everything
