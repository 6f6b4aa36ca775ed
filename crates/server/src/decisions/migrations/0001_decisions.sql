-- The history of decisions: what was asked, what was answered, what people noted. Rows are only ever added. The id of a
-- question and of an answer is the SHA-256 of its text, and the server itself holds it to that.

create table pgstrata_history.decision (
    id text primary key,
    number bigint generated always as identity unique,
    question text not null,
    made_at timestamptz not null default clock_timestamp(),
    constraint decision_id_is_its_content check (id = encode(sha256(convert_to(question, 'UTF8')), 'hex'))
);

create table pgstrata_history.answer (
    id text not null,
    number bigint generated always as identity unique,
    decision text not null references pgstrata_history.decision,
    document text not null,
    made_by text not null,
    made_at timestamptz not null default clock_timestamp(),
    primary key (decision, id),
    constraint answer_id_is_its_content check (id = encode(sha256(convert_to(document, 'UTF8')), 'hex'))
);

create table pgstrata_history.note (
    key text not null,
    number bigint generated always as identity unique,
    decision text not null references pgstrata_history.decision,
    body text not null,
    made_at timestamptz not null default clock_timestamp(),
    primary key (decision, key)
);

create function pgstrata_history.only_add() returns trigger
language plpgsql
as $$
begin
    raise exception 'the history of decisions is only ever added to'
        using errcode = 'integrity_constraint_violation';
end
$$;

create trigger only_add before update or delete or truncate on pgstrata_history.decision
    for each statement execute function pgstrata_history.only_add();

create trigger only_add before update or delete or truncate on pgstrata_history.answer
    for each statement execute function pgstrata_history.only_add();

create trigger only_add before update or delete or truncate on pgstrata_history.note
    for each statement execute function pgstrata_history.only_add();
