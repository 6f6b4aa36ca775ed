-- A worker takes the next free job. Another skips it while this transaction runs; if it crashes the job is free again.
-- pgstrata: schema
create table job (id bigint generated always as identity primary key, payload text not null, done_at timestamptz);
create index job_open on job (id) where done_at is null;
insert into job (payload) select 'job ' || number from generate_series(1, 10) as number;
-- pgstrata: program take_job read committed
-- pgstrata: one row, else refused
-- pgstrata: keep job bigint
select id from job where done_at is null order by id limit 1 for update skip locked;
-- pgstrata: one row, else refused
update job set done_at = now() where id = :job;
