//! A proxy that swallows commits: the client is told that all is well, and the log knows nothing of it. The judge must
//! believe the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pgstrata_lab::observe::{Watches, Watching};
use pgstrata_lab::site::{Server, Site};
use pgstrata_pg::{Cluster, Endpoint, testing};
use pgstrata_units::Isolation;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, UnixStream};

use crate::observe::{HELD, SCHEMA, SET, TABLE};

/// The same number of bytes, so that the message around them stays right.
const COMMIT: &[u8] = b"COMMIT\0";
const ABORT: &[u8] = b"ABORT \0";

/// Leads to the server, and turns commits into aborts while `lies` is set.
async fn proxy(server: &Endpoint, lies: Arc<AtomicBool>) -> Endpoint {
    let socket = server.socket_path().expect("a Unix socket");
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let upstream = UnixStream::connect(&socket).await.expect("the server listens");
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = upstream.into_split();
            tokio::spawn(async move { copy(&mut from_server, &mut to_client).await });
            let lies = Arc::clone(&lies);
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 * 1024];
                while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
                    let bytes = &mut buffer[..length];
                    let commit = bytes.windows(COMMIT.len()).position(|window| window == COMMIT);
                    if let Some(place) = commit.filter(|_| lies.load(Ordering::SeqCst)) {
                        bytes[place..place + ABORT.len()].copy_from_slice(ABORT);
                    }
                    if to_server.write_all(bytes).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    server.with_tcp("127.0.0.1", port)
}

#[tokio::test]
async fn a_proxy_that_swallows_a_commit_is_convicted_by_the_log() {
    let spec = testing::spec().expect("PostgreSQL server binaries").with_setting("wal_level", "logical");
    let cluster = Cluster::create(spec).await.expect("a server");
    let lies = Arc::new(AtomicBool::new(false));
    let through = proxy(&cluster.endpoint(), Arc::clone(&lies)).await;
    let site = Site::of_servers(vec![Server::plain(cluster.endpoint())]).watched(Watching::default());
    let session = site.first().control.connect().await.expect("a session");
    session.batch_execute(SCHEMA).await.expect("the schema");
    let watches = Watches::begin(&site, HELD).await.expect("a watch");
    let observer = watches.site(&site).observer(0, 0);

    let mut client = through.connect().await.expect("a session through the proxy");
    for (doctor, lie) in [(1, false), (2, true), (3, false)] {
        lies.store(lie, Ordering::SeqCst);
        let mut doing = observer.begin(&mut client, Isolation::Serializable).await.expect("begun");
        doing.write(TABLE, SET, &[&doctor, &false]).await.expect("written");
        doing.commit().await.expect("the client is told that it committed");
    }
    let (records, violations) = watches.finish(&site, "lying", 1).await.expect("a judgement");
    assert_eq!((records[0].holds, records[0].transactions), (false, 2));
    let found = "the history of lying on server 0 is not serializable: told what the log denies (1)";
    assert_eq!(violations[0].found, found);
    let witness = serde_json::json!({ "transaction": "T1", "contradiction": "commit_not_in_log" });
    assert_eq!(violations[0].witnesses, [witness]);
}
