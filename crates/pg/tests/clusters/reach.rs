//! Binaries that the server's user cannot reach are copied to where it can.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use pgstrata_pg::{Cluster, Dirs, Install, InstallSource, Kind};

use crate::support::{fast, open_directory, text};

/// A tree with `bin`, `lib` and `share`, as wheels have it; its programs hand over to the real ones.
fn prefix_with_real_programs(prefix: &Path, real: &Install) {
    for name in ["bin", "lib", "share"] {
        fs::create_dir_all(prefix.join(name)).expect("a directory");
    }
    for name in ["postgres", "initdb"] {
        let script = format!("#!/bin/sh\nexec {} \"$@\"\n", real.program(name).display());
        let path = prefix.join("bin").join(name);
        fs::write(&path, script).expect("a script");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("executable");
    }
    symlink("postgres", prefix.join("bin/postmaster")).expect("a link");
}

#[tokio::test]
async fn binaries_out_of_the_servers_reach_are_run_from_a_copy() {
    let place = open_directory();
    let closed = place.path().join("closed");
    prefix_with_real_programs(&closed.join("pg"), &fast().install);
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).expect("closed to others");
    let mut spec = fast();
    spec.install = Install::at(&closed.join("pg"), InstallSource::Flag).expect("we can reach them");
    let cache = place.path().join("cache");
    spec.dirs = Some(Dirs { state: place.path().join("state"), cache: cache.clone() });

    let cluster = Cluster::create(spec.clone()).await.expect("starts");
    assert_eq!(text(&cluster.endpoint(), "select 'runs'").await, "runs");
    // Not root: the server is ourselves, and reaches what we reach.
    let copied = cluster.install().bindir.starts_with(&cache);
    assert_eq!(copied, cluster.user().is_other(), "{:?}", cluster.install().bindir);
    drop(cluster);

    fs::remove_dir(closed.join("pg/share")).expect("no longer self-contained");
    fs::remove_dir_all(&cache).expect("no copy");
    match Cluster::create(spec).await {
        Ok(cluster) => assert!(!cluster.user().is_other(), "the server could not have reached them"),
        Err(error) => assert!(matches!(error.kind(), Kind::BadInstall { .. }), "{error:?}"),
    }
}
