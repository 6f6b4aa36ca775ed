-- Lets the server refuse attempts at fixed places, as one under load does by chance. An attempt takes its request's key
-- first, so it is counted there; a sequence is not set back when the attempt is rolled back.
create sequence attempts_begun;

create sequence attempts_committed;

create table refusal (
    at_commit boolean not null,
    attempt bigint not null,
    code text not null
);

create function refuse() returns trigger
language plpgsql
as $$
declare
    counted bigint := nextval(cast(tg_argv[0] as regclass));
    refused refusal;
begin
    select * into refused
    from refusal
    where at_commit = (tg_argv[0] = 'attempts_committed')
        and attempt = counted;
    if found then
        raise exception 'refused by the trial' using errcode = refused.code;
    end if;
    return new;
end
$$;

create trigger refuse_at_once
before insert on request
for each row execute function refuse('attempts_begun');

create constraint trigger refuse_at_commit
after insert on request
deferrable initially deferred
for each row execute function refuse('attempts_committed');
