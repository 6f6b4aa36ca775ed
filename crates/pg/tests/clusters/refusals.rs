//! What the world can refuse: each time a typed error with a hint, and nothing left behind.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use pgstrata_pg::{Cluster, ClusterSpec, Error, Kind};

use crate::support::{dirs_in, fast, homes_in, open_directory};

/// A small file system in memory; unmounted with the value.
struct Tmpfs(PathBuf);

impl Tmpfs {
    /// `None` where we may not mount anything: as an ordinary user, or as root in a container.
    fn mount(place: &Path, options: &str, flags: MsFlags) -> Option<Self> {
        match mount(Some("tmpfs"), place, Some("tmpfs"), flags, Some(options)) {
            Ok(()) => Some(Self(place.to_owned())),
            Err(Errno::EPERM | Errno::EACCES) => None,
            Err(errno) => panic!("mount a tmpfs: {errno}"),
        }
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        umount2(&self.0, MntFlags::MNT_DETACH).expect("unmount");
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Tries to make a cluster that cannot be made; nothing may be left in its state directory.
async fn refuse(change: impl FnOnce(&mut ClusterSpec)) -> Error {
    let state = open_directory();
    let mut spec = fast();
    spec.dirs = Some(dirs_in(state.path()));
    change(&mut spec);
    let error = Cluster::create(spec).await.expect_err("this cluster cannot be made");
    assert_eq!(homes_in(state.path()), Vec::<PathBuf>::new(), "nothing is left behind");
    assert!(error.hint().is_some(), "{error:?} has a hint");
    error
}

#[tokio::test]
async fn a_server_that_dies_at_its_start_is_reported_with_its_last_words() {
    let error = refuse(|spec| spec.settings.push(("no_such_parameter".to_owned(), "1".to_owned()))).await;
    assert!(matches!(error.kind(), Kind::ServerExited { status } if status == "exit status: 1"), "{error:?}");
    assert!(error.log_tail().iter().any(|line| line.contains("no_such_parameter")), "{:?}", error.log_tail());
}

#[tokio::test]
async fn a_setting_that_is_none_is_refused_before_anything_is_made() {
    let error = refuse(|spec| spec.settings.push(("a\nfsync".to_owned(), "off".to_owned()))).await;
    assert!(matches!(error.kind(), Kind::BadSetting { name, .. } if name == "a\nfsync"));
}

#[tokio::test]
async fn a_library_that_cannot_be_preloaded_is_refused() {
    let place = open_directory();
    let library = place.path().join("not-a-library.so");
    fs::write(&library, "text").expect("a file");
    let error = refuse(|spec| spec.preload = Some(library)).await;
    assert!(matches!(error.kind(), Kind::Unusable { .. }), "{error:?}");
    let missing = refuse(|spec| spec.preload = Some("/nonexistent.so".into())).await;
    assert!(matches!(missing.kind(), Kind::Unusable { path, .. } if path == Path::new("/nonexistent.so")));
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let error = refuse(|spec| {
        spec.tcp = true;
        spec.port = Some(port);
    })
    .await;
    assert!(matches!(error.kind(), Kind::PortInUse { port: named } if *named == port), "{error:?}");
    assert!(error.log_tail().iter().any(|line| line.contains("Address already in use")));
}

#[tokio::test]
async fn a_port_taken_while_the_server_was_stopped_is_named_at_its_restart() {
    let mut spec = fast();
    spec.tcp = true;
    let mut cluster = Cluster::create(spec).await.expect("starts");
    let (host, port) = cluster.tcp_endpoint().and_then(|endpoint| endpoint.tcp_address()).expect("tcp");
    cluster.stop(pgstrata_pg::StopMode::Fast).await.expect("stops");
    let taken = TcpListener::bind((host.as_str(), port)).expect("take the port");
    let error = cluster.start().await.expect_err("endpoints given away name this port, so it cannot move");
    assert!(matches!(error.kind(), Kind::PortInUse { port: named } if *named == port), "{error:?}");
    drop(taken);
    cluster.start().await.expect("starts when the port is free again");
}

#[tokio::test]
async fn a_full_disk_is_called_so() {
    let place = open_directory();
    let Some(tmpfs) = Tmpfs::mount(place.path(), "size=8m,mode=755", MsFlags::empty()) else {
        // Without a small file system there is only the number that a full disk gives.
        let source = std::io::Error::from_raw_os_error(nix::libc::ENOSPC);
        let error = Error::of_path("copy", Path::new("/small"), source);
        assert!(matches!(error.kind(), Kind::NoSpace { path } if path == Path::new("/small")));
        return;
    };
    let parent = tmpfs.0.clone();
    let error = refuse(|spec| spec.data_parent = Some(parent)).await;
    assert!(matches!(error.kind(), Kind::NoSpace { path } if path.starts_with(&tmpfs.0)), "{error:?}");
    assert_eq!(fs::read_dir(&tmpfs.0).expect("still mounted").count(), 0, "the half copy is gone");
}

#[tokio::test]
async fn a_server_that_finds_its_disk_full_at_its_start_says_so() {
    let place = open_directory();
    let Some(tmpfs) = Tmpfs::mount(place.path(), "size=120m,mode=755", MsFlags::empty()) else {
        // As above.
        let error = Error::of_path("copy", Path::new("/small"), std::io::ErrorKind::QuotaExceeded.into());
        assert!(matches!(error.kind(), Kind::NoSpace { .. }));
        return;
    };
    let mut spec = fast();
    spec.data_parent = Some(tmpfs.0.clone());
    let mut cluster = Cluster::create(spec).await.expect("there is room for it");
    cluster.stop(pgstrata_pg::StopMode::Fast).await.expect("stops");
    let filler = tmpfs.0.join("filler");
    let full = std::io::copy(&mut std::io::repeat(0), &mut fs::File::create(&filler).expect("a file"));
    full.expect_err("until the disk is full");
    let error = cluster.start().await.expect_err("its lock file does not fit");
    assert!(matches!(error.kind(), Kind::NoSpace { .. }), "{error:?}");
    fs::remove_file(filler).expect("make room");
    cluster.start().await.expect("starts again when there is room");
    drop(cluster);
}

#[tokio::test]
async fn a_read_only_place_is_refused() {
    let place = open_directory();
    let parent = place.path().to_owned();
    // Mode bits do not stop root; a read-only file system does. Where root may not mount one either, the process
    // table must do.
    let mounted = Tmpfs::mount(&parent, "mode=755", MsFlags::MS_RDONLY);
    let parent = match &mounted {
        None if is_root() => PathBuf::from("/proc"),
        None => {
            fs::set_permissions(&parent, Permissions::from_mode(0o555)).expect("chmod");
            parent
        }
        Some(_) => parent,
    };
    let named = parent.clone();
    let error = refuse(move |spec| spec.data_parent = Some(named)).await;
    assert!(matches!(error.kind(), Kind::Unusable { path, .. } if path.starts_with(&parent)), "{error:?}");

    let mut spec = fast();
    spec.dirs = Some(dirs_in(&parent.join("state")));
    let error = Cluster::create(spec).await.expect_err("no state directory can be made");
    assert!(matches!(error.kind(), Kind::Unusable { path, .. } if path.starts_with(&parent)), "{error:?}");
    drop(mounted);
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).expect("so that it can be removed");
}

#[tokio::test]
async fn a_place_that_the_server_cannot_enter_is_refused() {
    let place = tempfile::tempdir().expect("a directory");
    let inner = place.path().join("inner");
    fs::create_dir(&inner).expect("a directory");
    // Closed to others, which matters when the server is another user than we; else closed to ourselves.
    let mode = if is_root() { 0o700 } else { 0o600 };
    fs::set_permissions(place.path(), Permissions::from_mode(mode)).expect("chmod");
    let error = refuse(|spec| spec.data_parent = Some(inner)).await;
    assert!(matches!(error.kind(), Kind::Unusable { .. }), "{error:?}");
    fs::set_permissions(place.path(), Permissions::from_mode(0o700)).expect("so that it can be removed");
}
