//! What a plan needs around a server: made before the server, kept beside it, gone after it.

use std::sync::Arc;

use pgstrata_pg::{ClusterSpec, Endpoint, ServerUser};

use super::disk::SmallDisk;
use super::error::FaultError;
use super::fsync::FsyncShim;
use super::plan::FaultPlan;
use super::proxy::{FaultProxy, Upstream};

/// The points at which faults take hold of one server. Empty for a server without any.
#[derive(Clone, Debug, Default)]
pub struct FaultPoints {
    /// Between the clients and the server.
    pub proxy: Option<Arc<FaultProxy>>,
    /// In the server's processes.
    pub shim: Option<Arc<FsyncShim>>,
    /// Under the data directory. Declared last: it is unmounted after the proxy has gone.
    pub disk: Option<Arc<SmallDisk>>,
}

/// Settings that keep the write-ahead log of a server on a small disk small, so that only the fault fills it.
const SMALL_DISK_SETTINGS: [(&str, &str); 2] = [("min_wal_size", "32MB"), ("max_wal_size", "48MB")];

/// What was made for a server that is still to be started.
#[derive(Debug)]
pub struct FaultKit {
    points: FaultPoints,
    wants_proxy: bool,
}

impl FaultKit {
    /// Makes what must be there before the server starts, and changes the server's specification to use it.
    ///
    /// # Errors
    /// If this machine or user cannot have it; the error's hint says what to do.
    pub fn prepare(plan: &FaultPlan, spec: &mut ClusterSpec) -> Result<Self, FaultError> {
        let needs = plan.needs();
        let mut points = FaultPoints::default();
        if let Some(bytes) = plan.small_disk_bytes() {
            let disk = SmallDisk::mount(bytes)?;
            spec.data_parent = Some(disk.path().to_owned());
            spec.settings.extend(SMALL_DISK_SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())));
            points.disk = Some(Arc::new(disk));
        }
        if needs.shim {
            let user = ServerUser::resolve().map_err(FaultError::server("choose a user for the server"))?;
            let shim = FsyncShim::create(&user)?;
            spec.preload = Some(shim.library());
            spec.environment.push(shim.environment());
            points.shim = Some(Arc::new(shim));
        }
        Ok(Self { points, wants_proxy: needs.proxy })
    }

    /// For a server that is there already: only the network between it and its clients can be had.
    #[must_use]
    pub fn for_attached(plan: &FaultPlan) -> Self {
        Self { points: FaultPoints::default(), wants_proxy: plan.needs().proxy }
    }

    /// Finishes what needs the server's address: what clients connect to from now on, and the points.
    ///
    /// # Errors
    /// If the proxy cannot be started.
    pub fn attach(mut self, server: &Endpoint) -> Result<(Endpoint, FaultPoints), FaultError> {
        if !self.wants_proxy {
            return Ok((server.clone(), self.points));
        }
        let upstream = match (server.socket_path(), server.tcp_address()) {
            (Some(path), _) => Upstream::Unix(path),
            (None, Some((host, port))) => Upstream::Tcp(host, port),
            (None, None) => return Err(FaultError::Missing { fault: "net", what: "an address to lead to" }),
        };
        let hint = "free a TCP port of the loopback address";
        let proxy = FaultProxy::start(upstream).map_err(FaultError::machine("start the fault proxy", hint))?;
        let address = proxy.address();
        self.points.proxy = Some(Arc::new(proxy));
        Ok((server.with_tcp(&address.ip().to_string(), address.port()), self.points))
    }
}
