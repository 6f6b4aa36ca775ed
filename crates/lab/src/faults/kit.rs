//! What a plan needs around a server: made before the server, kept beside it, gone after it.

use std::sync::Arc;

use pgstrata_pg::{ClusterSpec, Endpoint, ServerUser};

use super::catalogue::FaultKind;
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
    /// A fault that cannot strike a server of somebody else's.
    unmet: Option<FaultKind>,
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
        Ok(Self { points, wants_proxy: needs.proxy, unmet: None })
    }

    /// For a server that is there already: only the network between it and its clients can be had. A plan that wants
    /// more is refused by [`FaultKit::attach`].
    #[must_use]
    pub fn for_attached(plan: &FaultPlan) -> Self {
        let unmet = plan.faults.iter().map(|fault| fault.kind).find(|kind| kind.info().needs.private);
        Self { points: FaultPoints::default(), wants_proxy: plan.needs().proxy, unmet }
    }

    /// Finishes what needs the server's address: what clients connect to from now on, and the points.
    ///
    /// # Errors
    /// If the proxy cannot be started, or the server is not ours and would have to be.
    pub fn attach(mut self, server: &Endpoint) -> Result<(Endpoint, FaultPoints), FaultError> {
        if let Some(kind) = self.unmet {
            let what = "a private server, which may be stopped and killed";
            return Err(FaultError::Missing { fault: kind.name(), what });
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attached_server_can_have_a_proxy_and_nothing_that_needs_a_server_of_our_own() {
        let attach = |plan: &str| {
            let plan: FaultPlan = plan.parse().expect("a plan");
            FaultKit::for_attached(&plan).attach(&Endpoint::tcp("db.example", 5433, "alice").with_database("shop"))
        };
        let (endpoint, points) = attach("terminate-backend").expect("nothing needed");
        assert_eq!(endpoint.tcp_address(), Some(("db.example".to_owned(), 5433)));
        assert!(points.proxy.is_none());

        let (endpoint, points) = attach("net-delay=1ms,duplicate-request").expect("a proxy");
        let proxy = points.proxy.expect("needed").address();
        assert_eq!(endpoint.tcp_address(), Some((proxy.ip().to_string(), proxy.port())));
        assert_eq!((endpoint.user(), endpoint.database()), (Some("alice"), Some("shop")));

        for plan in ["net-cut,pause", "slow-fsync", "disk-full"] {
            let error = attach(plan).expect_err("not ours");
            assert!(matches!(error, FaultError::Missing { .. }) && error.hint().is_some(), "{plan}: {error}");
        }
    }
}
