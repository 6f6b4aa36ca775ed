-- A table with a column of each type that is printed, filled by lot and with values at the edges; a column that was
-- dropped, one that came later; values that are compressed in place, and values out of line.
create function shown(value anyelement) returns text language sql as
    'select case when value is not null then concat(value) end';

create table everything (
    a_bool boolean,
    gone text default 'gone',
    a_char "char",
    a_name name,
    a_smallint smallint,
    an_int int,
    a_bigint bigint,
    a_real real,
    a_double double precision,
    a_numeric numeric,
    a_money_like numeric(12, 2),
    a_text text,
    a_varchar varchar(40),
    a_bpchar char(12),
    a_bytea bytea,
    a_date date,
    a_time time,
    a_timetz timetz,
    a_timestamp timestamp,
    a_timestamptz timestamptz,
    an_interval interval,
    a_uuid uuid,
    a_json json,
    a_jsonb jsonb,
    an_oid oid,
    a_tid tid,
    an_xid8 xid8,
    an_lsn pg_lsn,
    an_inet inet,
    a_cidr cidr,
    a_macaddr macaddr,
    bits bit varying,
    ints int[],
    texts text[],
    numerics numeric[],
    timestamps timestamp[],
    bools boolean[],
    documents jsonb[],
    some_oids oidvector,
    big text
);
alter table everything alter column big set storage main;

insert into everything
select
    number % 2 = 0,
    'to be dropped',
    chr(65 + number % 50),
    'name ' || number,
    (random() * 60000 - 30000)::smallint,
    ((random() - 0.5) * 4e9)::int,
    ((random() - 0.5) * 1.8e19)::bigint,
    ((random() - 0.5) * 10 ^ (random() * 60 - 30))::real,
    (random() - 0.5) * 10 ^ (random() * 500 - 250),
    round(((random() - 0.5) * 10 ^ (random() * 60 - 30))::numeric, (random() * 40)::int),
    (random() * 1e9)::numeric(12, 2),
    case number % 4 when 0 then repeat('复制 ', number % 30) when 1 then '' else md5(number::text) end,
    left(md5(number::text), number % 33),
    left(md5(number::text), number % 12),
    decode(repeat(md5(number::text), number % 5), 'hex'),
    date '2000-01-01' + ((random() - 0.6) * 3e6)::int,
    time '00:00' + (random() * 86399) * interval '1 second',
    timetz '00:00+00' + (random() * 86399) * interval '1 second',
    timestamp '2000-01-01' + ((random() - 0.5) * 1e10) * interval '1 second',
    timestamptz '2000-01-01 00:00+00' + ((random() - 0.5) * 4e9) * interval '1 second',
    make_interval(
        months => ((random() - 0.5) * 100)::int, days => ((random() - 0.5) * 60)::int, secs => (random() - 0.5) * 1e5
    ),
    md5(number::text)::uuid,
    json_build_object('number', number),
    jsonb_build_object(
        'number', random(), 'text', E'a "quoted"\\ line\n\t\x01', 'list', jsonb_build_array(1, null, true, 'b', '{}'::jsonb),
        'deep', jsonb_build_object('a', jsonb_build_object('b', jsonb_build_array(number, -1.5e-30))), md5(number::text), '',
        'many', (select jsonb_agg(element) from generate_series(1, number % 90) as element)
    ),
    number::oid,
    ('(' || number || ',' || number % 100 + 1 || ')')::tid,
    number::text::xid8,
    '0/0'::pg_lsn + (random() * 1e18)::numeric,
    ('10.' || number % 256 || '.1.2/' || number % 33)::inet,
    set_masklen(('2001:db8::' || to_hex(number))::cidr, 128),
    ('08:00:2b:01:02:' || lpad(to_hex(number % 256), 2, '0'))::macaddr,
    (number::bit(32))::bit varying,
    array[number, null, -number],
    array['plain', 'with space', '', 'null', null, 'q"uote', 'back\slash', '{brace}', 'a,b'],
    array[1.50, null, number::numeric / 7],
    array[timestamp '2000-01-01', null],
    array[[true, false], [null, true]],
    array[jsonb_build_object('a', number)],
    (number || ' 2 3')::oidvector,
    case number % 3 when 0 then repeat('a long text, ' || number, 200) when 1 then null else repeat('z', 100) end
from generate_series(1, $rows) as number;

-- Nulls by lot: each row has some.
insert into everything (a_bool, an_int, a_text, a_uuid)
select
    case when random() < 0.5 then true end, case when random() < 0.5 then 1 end,
    case when random() < 0.5 then 'text' end, case when random() < 0.5 then gen_random_uuid() end
from generate_series(1, 200);

-- Edges.
insert into everything (
    a_char, a_real, a_double, a_numeric, a_date, a_time, a_timetz, a_timestamp, a_timestamptz, an_interval, a_jsonb, ints, texts
)
values
    ('', 'NaN', 'NaN', 'NaN', 'infinity', '24:00', '24:00-15:59', 'infinity', '-infinity', '0', 'null', '{}', '{}'),
    ('a', '-0', '-0', '-0.00', '-infinity', '00:00:00.000001', '01:02:03+05:30', '-infinity', 'infinity', '1 mon', '"s"',
     '[0:1]={1,2}', '[-2:-1][3:3]={{a},{b}}'),
    ('b', '1e-45', '5e-324', '1e-16383', '4713-01-01 BC', '23:59:59.999999', '01:02+00', '4713-01-01 00:00 BC',
     '0001-12-31 23:59:59.5 BC', '-1 years -2 mons +3 days -04:05:06.7', '1.50', '{{{1}}}', '{NULL}'),
    ('c', '3.4028235e38', '1.7976931348623157e308', '12345678901234567890e300', '5874897-12-31', '12:00', '12:00-00:00:01',
     '294276-12-31 23:59:59.999999', '2000-01-01', '178000000 years', '[]', null, null),
    ('d', '123456', '999999999999999', '0.1', '2000-02-29', '01:00', '01:00', '1999-12-31 23:59:59.999999', '1900-01-01',
     '1 day -00:00:01', '{}', null, null),
    ('e', '1234567', '1e15', '100000000', '1900-02-28', '01:00', '01:00', '0001-01-01', '1582-10-15', '-1 days +01:00', '{"": {}}',
     null, null),
    ('f', '1e-4', '1e-5', '10000', '0001-01-01', '01:00', '01:00', '2000-01-01', '1582-10-15', '1 year 1 day', 'true', null, null),
    ('g', '1e23', '1e23', '9999.9999', '0001-01-01', '01:00', '01:00', '2000-01-01', '1582-10-15', '-00:00:00.1', 'false', null, null),
    ('h', '9.5367431640625e-07', '9007199254740993', '-1', '0001-01-01', '01:00', '01:00', '2000-01-01', '1582-10-15',
     '13 mons', '-1e400', null, null);

-- Out of line: what md5 makes cannot be compressed to fit.
insert into everything (an_int, big) select number, string_agg(md5(number::text || part), '')
from generate_series(1, 5) as number, generate_series(1, 400) as part group by number;

alter table everything drop column gone;
alter table everything add column later text default 'came later', add column later_null int;
insert into everything (an_int, later) values (1, 'stored');
