-- Closes a flush. In a transaction that has failed (a flush that swallowed an error) the first statement fails and the
-- second is not run; a bare commit would answer as if all were well and roll back. It also undoes a "set local
-- synchronous_commit" of the flush itself.
set local synchronous_commit = on;
commit;
