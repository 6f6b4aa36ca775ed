-- How the columns of an entry are stored, dropped ones too: they keep their room in old rows.
select
    a.attname::text as name,
    a.attlen as length,
    a.attalign::text as alignment
from pg_attribute as a
where a.attrelid = 'ledger.entries'::regclass
    and a.attnum > 0
order by a.attnum;
