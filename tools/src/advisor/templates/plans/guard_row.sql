-- A place in a course: whoever takes one updates the course's row first, so that two never count at the same time.
-- pgstrata: schema
create table course (id bigint primary key, places bigint not null, guard bigint not null default 0);
create table enrolment (course bigint not null references course, student bigint not null, primary key (course, student));
insert into course values (1, 3);
-- pgstrata: program enrol read committed
-- pgstrata: parameter course bigint = 1
-- pgstrata: parameter student bigint = 7
-- pgstrata: one row, else refused
update course set guard = guard + 1 where id = :course;
-- pgstrata: one row, else refused
insert into enrolment (course, student)
select id, cast(:student as bigint) from course
where id = :course and places > (select count(*) from enrolment where enrolment.course = :course)
on conflict do nothing;
