-- A table of many types, in which lengths and counts lie inside values; rows dead, locked, rolled back and compressed.
create type mood as enum ('glad', 'sad');

create type pair as (a integer, b text);

create domain small as integer;

create table fuzz (
    id integer primary key,
    flag boolean,
    letter "char",
    short smallint,
    long bigint,
    real8 double precision,
    exact numeric,
    words text,
    padded character(10),
    label name,
    bytes bytea,
    at timestamptz,
    day date,
    hour timetz,
    span interval,
    uid uuid,
    doc jsonb,
    raw json,
    ints integer[],
    texts text[],
    exacts numeric[],
    docs jsonb[],
    address inet,
    net cidr,
    mac macaddr,
    bits bit varying,
    spot point,
    way path,
    area polygon,
    lexemes tsvector,
    query tsquery,
    feeling mood,
    both_of pair,
    range int4range,
    ranges int4multirange,
    tiny small,
    vector oidvector,
    price money,
    place tid,
    lsn pg_lsn
)
with (fillfactor = 90);

insert into fuzz
select id,
       id % 2 = 0,
       'x',
       id,
       id * 1000000000::bigint,
       id / 7.0,
       (id / 7.0)::numeric(30, 10) * 10 ^ (id % 20),
       repeat('word ', id),
       'pad',
       'a name',
       decode(repeat('00ff', id), 'hex'),
       now(),
       now(),
       now()::timetz,
       id * '1 day 1 second'::interval,
       gen_random_uuid(),
       jsonb_build_object('a', jsonb_build_array(id, 'x', null, true), 'b', jsonb_build_object('c', id / 3.0)),
       '{"a": 1}',
       array [id, null, 3],
       array ['one', null, repeat('two', id % 9)],
       array [1.5, id],
       array ['[1, {"a": 2}]'::jsonb],
       '10.0.0.1/8',
       'fe80::/10',
       '08:00:2b:01:02:03',
       repeat('10', id)::bit varying,
       point(id, 1),
       '((0,0),(1,1),(2,0))',
       '((0,0),(1,1),(2,0))',
       to_tsvector('english', 'a fat cat sat on a mat ' || id),
       'fat & (cat | rat)',
       'sad',
       row (id, 'two'),
       int4range(1, id),
       '{[1,3), [5,9)}',
       id,
       '1 2 3',
       id,
       '(1,2)',
       '0/1234'
from generate_series(1, 60) as id;

update fuzz set short = 7 where id % 3 = 0;

delete from fuzz where id % 11 = 0;

begin;

update fuzz set words = repeat('compressed ', 400) where id % 5 = 0;

rollback;

begin;

select id from fuzz where id % 4 = 0 for share;

savepoint a;

update fuzz set words = repeat('compressed ', 400) where id % 4 = 0;

commit;
