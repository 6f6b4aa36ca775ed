-- One more attempt is refused. $1 whether at its commit, $2 its number from 1, $3 the code of the error.
insert into refusal (at_commit, attempt, code)
values ($1, $2, $3);
