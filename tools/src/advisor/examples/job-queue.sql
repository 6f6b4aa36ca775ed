-- A queue of jobs in a table. ClaimFirst looks for the oldest free job and marks it in a second statement, so that at read
-- committed two workers take the same one; ClaimSkipping locks the row that it finds and steps over locked ones.

create table job (
  job_id bigint primary key,
  state text not null check (state in ('free', 'taken', 'done')),
  worker bigint
);

create table attempt (
  job_id bigint not null references job,
  worker bigint not null,
  primary key (job_id, worker)
);

-- Programs

-- Finds a free job, then takes it.
-- pgstrata: program ClaimFirst
-- pgstrata: frequency 0.4
-- pgstrata: parameter worker bigint = 1
begin;
select job_id from job where state = 'free' order by job_id limit 1 \gset
update job set state = 'taken', worker = :worker where job_id = :job_id;
insert into attempt (job_id, worker) values (:job_id, :worker);
commit;

-- Takes the first job that nobody else is taking.
-- pgstrata: program ClaimSkipping
-- pgstrata: frequency 0.4
-- pgstrata: parameter worker bigint = 2
begin;
select job_id from job where state = 'free' order by job_id limit 1 for update skip locked \gset
update job set state = 'taken', worker = :worker where job_id = :job_id;
insert into attempt (job_id, worker) values (:job_id, :worker);
commit;

-- Reports a job as done.
-- pgstrata: program Finish
-- pgstrata: frequency 0.2
-- pgstrata: parameter job bigint = 1
-- pgstrata: parameter worker bigint = 2
begin;
update job set state = 'done' where job_id = :job and worker = :worker;
commit;
