//! The graph of serializable transactions: write skew is seen, and its victim, before the victim is told.

use crate::support::{plain, session, start, until_true};

const SET_UP: &str = "create table doctors (id int primary key, on_call bool);
    insert into doctors values (1, true), (2, true);";

#[tokio::test]
async fn the_doomed_transaction_of_a_write_skew_is_known_before_its_commit_fails() {
    let (cluster, observer) = start(plain()).await;
    observer.batch_execute(SET_UP).await.expect("a table");
    let (first, second) = (session(&cluster).await, session(&cluster).await);
    let (first_pid, second_pid) =
        (first.backend_pid().await.expect("a number"), second.backend_pid().await.expect("a number"));
    for doctor in [&first, &second] {
        doctor
            .batch_execute("begin isolation level serializable; select count(*) from doctors where on_call")
            .await
            .expect("read");
    }
    let conflicts = "select array(select (reader_pid, writer_pid)::text from mvcc_ssi_conflicts() where not is_possible order by 1)";
    let edges = || async { observer.query_one(conflicts, &[]).await.expect(conflicts).get::<_, Vec<String>>(0) };
    assert_eq!(edges().await, Vec::<String>::new(), "nobody has written");
    first.batch_execute("update doctors set on_call = false where id = 1").await.expect("written");
    assert_eq!(edges().await, [format!("({second_pid},{first_pid})")], "the second has not seen it");
    second.batch_execute("update doctors set on_call = false where id = 2").await.expect("written");
    let mut expected = [format!("({first_pid},{second_pid})"), format!("({second_pid},{first_pid})")];
    expected.sort();
    assert_eq!(edges().await, expected, "each comes before the other");
    let states = "select state, doomed, is_pivot from mvcc_ssi_graph() where pid = $1 and state <> 'aborted'";
    for pid in [first_pid, second_pid] {
        let row = observer.query_one(states, &[&pid]).await.expect(states);
        assert_eq!((row.get(0), row.get(1), row.get(2)), ("running", false, true));
    }
    first.batch_execute("commit").await.expect("the first to commit wins");
    let row = observer.query_one(states, &[&second_pid]).await.expect(states);
    assert_eq!((row.get(0), row.get(1)), ("running", true), "the second is lost, and has not been told");
    let row = observer.query_one(states, &[&first_pid]).await.expect(states);
    assert_eq!((row.get(0), row.get(1)), ("committed", false));
    let refused = second.batch_execute("commit").await.expect_err("write skew");
    assert_eq!(refused.as_db_error().expect("the server says so").code().code(), "40001");
    // The error is sent before the transaction is taken off the list.
    until_true(&observer, "select count(*) = 0 from mvcc_ssi_graph() where state = 'running'").await;
}

#[tokio::test]
async fn a_read_only_transaction_shows_whom_it_might_conflict_with_and_when_it_is_safe() {
    let (cluster, observer) = start(plain()).await;
    observer.batch_execute(SET_UP).await.expect("a table");
    let (writer, reader) = (session(&cluster).await, session(&cluster).await);
    let sql = "begin isolation level serializable; update doctors set on_call = false where id = 1";
    writer.batch_execute(sql).await.expect("written");
    let sql = "begin isolation level serializable read only; select count(*) from doctors";
    reader.batch_execute(sql).await.expect("read");
    let pid = reader.backend_pid().await.expect("a number");
    let sql = "select is_read_only, is_safe from mvcc_ssi_graph() where pid = $1";
    let row = observer.query_one(sql, &[&pid]).await.expect(sql);
    assert_eq!((row.get(0), row.get(1)), (true, None::<bool>));
    let possible = "select count(*) from mvcc_ssi_conflicts() where is_possible and reader_pid = $1";
    let count: i64 = observer.query_one(possible, &[&pid]).await.expect(possible).get(0);
    assert_eq!(count, 1);
    writer.batch_execute("commit").await.expect("committed");
    let count: i64 = observer.query_one(possible, &[&pid]).await.expect(possible).get(0);
    assert_eq!(count, 0, "nobody is left who could make it unsafe");
    reader.batch_execute("commit").await.expect("committed");
}
