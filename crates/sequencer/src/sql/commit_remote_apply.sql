-- commit.sql on a server whose default is the stronger remote_apply.
set local synchronous_commit = remote_apply;
commit;
