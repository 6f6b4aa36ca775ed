//! `coalesced`: all requests of a moment in one transaction. The service of [`crate::flash_sale::service`], called in
//! process.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pgstrata_lab::site::Site;
use pgstrata_lab::study::{Arm, ArmKind, Client, ClientCount, Figure, Operation, Reply, Rig, Setback, StudyError};
use pgstrata_sequencer::{Settings, Takeover};
use pgstrata_units::Text;

use crate::flash_sale::demand::Demand;
use crate::flash_sale::service::{self, Refusal, Service, ServiceSettings};
use crate::flash_sale::till::HOLD_SECONDS;

pub(crate) const ARM: Arm = Arm {
    name: "coalesced",
    title: Text { en: "coalesced requests", zh: "请求合并" },
    summary: Text {
        en: "A sequencer decides all waiting requests in one transaction: one lock of the row, one set-based insert, one \
             flush of the log for thousands of buyers.",
        zh: "定序器在一个事务中裁决所有等待的请求：数千买家共用一次行锁、一条集合插入和一次日志刷盘。",
    },
    kind: ArmKind::Best,
    clients: ClientCount::Multiplexed(2_000),
    statements: service::STATEMENTS,
};

/// How long a new instance waits for the server to notice that its predecessor's client is dead.
const TAKEOVER_LIMIT: Duration = Duration::from_secs(10);

/// The service as all its clients share it.
struct Coalesced {
    service: Arc<Service>,
    demand: Demand,
}

/// The service on the servers of a site, as a trial needs it: nothing expires, and after its process was killed the
/// next one takes over.
pub(crate) async fn serve(site: &Site) -> Result<Service, StudyError> {
    let endpoints: Vec<_> = site.servers.iter().map(|server| server.endpoint.clone()).collect();
    let settings = ServiceSettings {
        hold: Duration::from_secs_f64(HOLD_SECONDS),
        sequencer: Settings { takeover: Takeover::Wait(TAKEOVER_LIMIT), ..Settings::default() },
        ..ServiceSettings::default()
    };
    Service::start(&endpoints, &settings).await.map_err(|error| StudyError::new("start the service", error))
}

/// The rig of this way of selling.
pub(crate) async fn rig(site: &Site) -> Result<Arc<dyn Rig>, StudyError> {
    let demand = Demand::new(site.servers.len());
    Ok(Arc::new(Coalesced { service: Arc::new(serve(site).await?), demand }))
}

#[async_trait]
impl Rig for Coalesced {
    async fn client(&self, _: u32) -> Result<Box<dyn Client>, StudyError> {
        Ok(Box::new(InProcess { service: Arc::clone(&self.service), demand: self.demand }))
    }

    fn figures(&self) -> Vec<Figure> {
        figures(&self.service)
    }
}

/// A client that calls the service.
struct InProcess {
    service: Arc<Service>,
    demand: Demand,
}

#[async_trait]
impl Client for InProcess {
    async fn step(&mut self, operation: &Operation) -> Result<Reply, Setback> {
        match self.service.purchase(&self.demand.purchase(operation), None).await {
            Ok(decision) => Ok(decision.reply()),
            Err(refusal) => Err(setback(&refusal)),
        }
    }
}

/// What a refusal means for a client that wants an answer.
pub(crate) fn setback(refusal: &Refusal) -> Setback {
    match refusal {
        Refusal::Busy { .. } | Refusal::TooLate => Setback::Overloaded,
        // The service says that nothing was written when it is unavailable; asking again is right for both.
        Refusal::Unavailable | Refusal::Unknown => Setback::Unknown,
    }
}

/// What the flushes were like.
pub(crate) fn figures(service: &Service) -> Vec<Figure> {
    let all = service.figures();
    let batches: u64 = all.iter().map(|each| each.batches).sum();
    let requests: u64 = all.iter().map(|each| each.requests).sum();
    let flush_us: u64 = all.iter().map(|each| each.flush_us).sum();
    let each = |total: u64| if batches == 0 { 0.0 } else { total as f64 / batches as f64 };
    let figure = |name: &str, value, unit: &str| Figure { name: name.to_owned(), value, unit: unit.to_owned() };
    vec![
        figure("batch_size_mean", each(requests), "requests"),
        figure("flush_ms_mean", each(flush_us) / 1e3, "ms"),
        figure("flush_ms_max", all.iter().map(|each| each.max_flush_us).max().unwrap_or(0) as f64 / 1e3, "ms"),
        figure("queue_peak", all.iter().map(|each| each.queue_peak).sum::<u64>() as f64, "requests"),
    ]
}
