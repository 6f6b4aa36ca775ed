//! `sequencer`: everybody's requests of a moment in one transaction. The service of [`crate::ledger::service`], called in
//! process.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pgstrata_lab::site::Site;
use pgstrata_lab::study::{
    Arm, ArmKind, Client, ClientCount, Figure, Operation, Reply, Rig, Scale, Setback, StudyError,
};
use pgstrata_sequencer::{Settings, Takeover};
use pgstrata_units::Text;

use crate::ledger::service::{self, NoAnswer, Service};
use crate::ledger::workload::{Work, Workload};

pub(crate) const ARM: Arm = Arm {
    name: "sequencer",
    title: Text { en: "sequencer", zh: "定序器" },
    summary: Text {
        en: "One writer admits all waiting requests in memory and writes them with one set-based statement and one flush \
             of the log; every account that it remembered is compared with the table.",
        zh: "唯一的写入者在内存中裁决所有等待的请求，用一条集合语句和一次日志刷盘写入；它记住的每个账户都与表核对。",
    },
    kind: ArmKind::Best,
    clients: ClientCount::Multiplexed(4_000),
    statements: service::STATEMENTS,
};

/// How long a new instance waits for the server to notice that its predecessor's client is dead.
const TAKEOVER_LIMIT: Duration = Duration::from_secs(10);

/// The service as all its clients share it.
struct Sequenced {
    service: Arc<Service>,
    workload: Workload,
}

/// The rig of this way of keeping the books.
pub(crate) async fn rig(site: &Site, scale: &Scale) -> Result<Arc<dyn Rig>, StudyError> {
    let settings = Settings { takeover: Takeover::Wait(TAKEOVER_LIMIT), ..Settings::default() };
    let starting = Service::start(&site.first().endpoint, settings, scale.observed).await;
    let service = starting.map_err(|error| StudyError::new("start the service", error))?;
    Ok(Arc::new(Sequenced { service: Arc::new(service), workload: Workload::new(scale) }))
}

#[async_trait]
impl Rig for Sequenced {
    async fn client(&self, _: u32) -> Result<Box<dyn Client>, StudyError> {
        let client = InProcess { service: Arc::clone(&self.service), workload: self.workload.clone(), saw: None };
        Ok(Box::new(client))
    }

    fn figures(&self) -> Vec<Figure> {
        let all = self.service.figures();
        let each = |total: u64| if all.batches == 0 { 0.0 } else { total as f64 / all.batches as f64 };
        let figure = |name: &str, value, unit: &str| Figure { name: name.to_owned(), value, unit: unit.to_owned() };
        vec![
            figure("batch_size_mean", each(all.requests), "requests"),
            figure("flush_ms_mean", each(all.flush_us) / 1e3, "ms"),
            figure("flush_ms_max", all.max_flush_us as f64 / 1e3, "ms"),
            figure("queue_peak", all.queue_peak as f64, "requests"),
        ]
    }
}

/// A client that calls the service.
struct InProcess {
    service: Arc<Service>,
    workload: Workload,
    saw: Option<Box<[i64]>>,
}

#[async_trait]
impl Client for InProcess {
    async fn step(&mut self, operation: &Operation) -> Result<Reply, Setback> {
        let (reply, saw) = match self.workload.work(operation) {
            Work::Post(request) => {
                let answer = self.service.post(request, None).await.map_err(|none| setback(&none))?;
                (answer.decision.reply(), answer.saw)
            }
            Work::Statement { account_id } => {
                self.service.statement(account_id).await.map_err(|error| reading_setback(&error))?
            }
            Work::Audit => self.service.audit().await.map_err(|error| reading_setback(&error))?,
        };
        self.saw = saw;
        Ok(reply)
    }

    fn seen(&mut self) -> Option<Box<[i64]>> {
        self.saw.take()
    }
}

/// What no answer means for a client that wants one.
fn setback(none: &NoAnswer) -> Setback {
    match none {
        NoAnswer::Busy { .. } | NoAnswer::TooLate => Setback::Overloaded,
        // The service says that nothing was written when it is unavailable; asking again is right for both.
        NoAnswer::Unavailable | NoAnswer::Unknown => Setback::Unknown,
    }
}

/// The service's reading sessions are not the client's: it only asks again.
fn reading_setback(error: &pgstrata_pg::Error) -> Setback {
    tracing::debug!(error = %error, "nothing read");
    Setback::Unknown
}
