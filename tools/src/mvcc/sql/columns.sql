-- The columns of table $1 as its tuples hold them, dropped ones too, and which of them are its key.
select attribute.attname::text as name,
       attribute.atttypid::bigint as type_oid,
       case when attribute.attisdropped then '' else format_type(attribute.atttypid, attribute.atttypmod) end as type_name,
       attribute.attlen as length,
       ascii(attribute.attalign::text)::int as alignment,
       attribute.attisdropped as is_dropped,
       attribute.attgenerated = 'v' as is_virtual,
       attribute.atthasmissing as has_missing,
       case when attribute.atthasmissing then attribute.attmissingval::text end as missing,
       (select position.ordinality::int
        from pg_index index
        cross join lateral unnest(index.indkey::int2[]) with ordinality as position(number, ordinality)
        where index.indrelid = $1::bigint::oid
          and index.indisprimary
          and position.number = attribute.attnum
        limit 1) as key_position
from pg_attribute attribute
where attribute.attrelid = $1::bigint::oid
  and attribute.attnum > 0
order by attribute.attnum
