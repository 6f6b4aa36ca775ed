//! Records of runs, by id: those published with the product and those that were made here. An id is looked up among the
//! files that there are; no path is ever made of one.

mod detail;

use std::path::PathBuf;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use pgstrata_lab::archive::{self, ArchiveError};
use pgstrata_lab::record::Record;
use pgstrata_lab::report::plot::{Chart, Frame};
use pgstrata_lab::report::{self, difference};
use pgstrata_lab::study::Card;
use pgstrata_units::Language;

use crate::problem::{Code, Problem};
use crate::routes::records::{ChartName, RecordComparison, RecordDetail, RecordEntry};

/// A report is one page that may run its own small script, and is kept from everything else.
const REPORT_POLICY: &str = "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                             img-src data:; frame-ancestors 'none'";

/// The records; cheap to clone.
#[derive(Clone)]
pub struct Records {
    published: PathBuf,
    own: PathBuf,
}

/// A record that was found.
struct Found {
    entry: RecordEntry,
    path: PathBuf,
}

impl Records {
    /// Records below two folders, which need not be there.
    pub fn new(published: PathBuf, own: PathBuf) -> Self {
        Self { published, own }
    }

    /// All of them, newest first.
    pub async fn list(&self) -> Result<Vec<RecordEntry>, Problem> {
        let found = self.clone().blocking(|records| records.find_all()).await?;
        Ok(found.into_iter().map(|found| found.entry).collect())
    }

    /// What a record says.
    pub async fn show(&self, id: &str) -> Result<RecordDetail, Problem> {
        let (entry, record) = self.load(id).await?;
        Ok(detail::describe(entry, &record))
    }

    /// Its file.
    pub async fn file(&self, id: &str) -> Result<Response, Problem> {
        let (entry, record) = self.load(id).await?;
        let text = archive::to_json(&record).map_err(|error| Problem::internal("write the record", &error))?;
        let mut answer = typed(text, "application/json");
        let name = format!("attachment; filename=\"{}.json\"", entry.id);
        if let Ok(name) = HeaderValue::try_from(name) {
            answer.headers_mut().insert(header::CONTENT_DISPOSITION, name);
        }
        Ok(answer)
    }

    /// A chart of it.
    pub async fn chart(&self, id: &str, chart: ChartName, language: Language) -> Result<Response, Problem> {
        let (_, record) = self.load(id).await?;
        let svg = Chart::from(chart).draw(&record, language, Frame::Standalone);
        let svg = svg.ok_or_else(|| {
            Problem::missing("there is no chart of that kind: the record holds nothing that it could show")
        })?;
        Ok(typed(svg, "image/svg+xml"))
    }

    /// Its report.
    pub async fn report(&self, id: &str, language: Language) -> Result<Response, Problem> {
        let (_, record) = self.load(id).await?;
        let card = card_of(&record)?;
        let mut answer = typed(report::html(&record, card, language), "text/html; charset=utf-8");
        let policy = HeaderValue::from_static(REPORT_POLICY);
        answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        Ok(answer)
    }

    /// Two of them side by side.
    pub async fn compare(&self, before: &str, after: &str) -> Result<RecordComparison, Problem> {
        let (before_entry, before) = self.load(before).await?;
        let (after_entry, after) = self.load(after).await?;
        if before.study != after.study {
            let detail = format!("the records are of two studies, {} and {}", before.study, after.study);
            return Err(Problem::new(Code::BadRequest, detail).hint("name two records of the same study"));
        }
        Ok(RecordComparison {
            before: before_entry,
            after: after_entry,
            arms: difference::arms(&before, &after).into_iter().map(detail::compared).collect(),
            changes: difference::changes(&before, &after).into_iter().map(detail::changed).collect(),
        })
    }

    /// Keeps a record of a run, and returns its id.
    pub async fn keep(&self, record: Record) -> Result<String, Problem> {
        self.clone()
            .blocking(move |records| {
                let path = archive::save(&record, &records.own)?;
                let found = records.find_all()?.into_iter().find(|found| found.path == path);
                Ok(found.map(|found| found.entry.id).unwrap_or_default())
            })
            .await
    }

    async fn load(&self, id: &str) -> Result<(RecordEntry, Record), Problem> {
        let wanted = id.to_owned();
        let loaded = self
            .clone()
            .blocking(move |records| {
                let found = records.find_all()?.into_iter().find(|found| found.entry.id == wanted);
                found.map(|found| Ok((found.entry, archive::load(&found.path)?))).transpose()
            })
            .await?;
        loaded.ok_or_else(|| Problem::missing(format!("there is no record {id}")).hint("`GET /api/records` lists them"))
    }

    /// Newest first.
    fn find_all(&self) -> Result<Vec<Found>, ArchiveError> {
        let mut all = Vec::new();
        for (dir, is_own) in [(&self.published, false), (&self.own, true)] {
            for entry in archive::list(dir)? {
                let part = |path: Option<&std::ffi::OsStr>| path.map(|part| part.to_string_lossy().into_owned());
                let folder = part(entry.path.parent().and_then(std::path::Path::file_name)).unwrap_or_default();
                let stem = part(entry.path.file_stem()).unwrap_or_default();
                let origin = if is_own { "own" } else { "published" };
                all.push(Found {
                    entry: RecordEntry {
                        id: format!("{origin}~{folder}~{stem}"),
                        study: entry.study,
                        preset: entry.preset,
                        started_at: entry.started_at,
                        host: entry.host,
                        is_own,
                    },
                    path: entry.path,
                });
            }
        }
        all.sort_by(|a, b| b.entry.started_at.cmp(&a.entry.started_at));
        Ok(all)
    }

    /// Files are read where waiting for a disk holds up nobody.
    async fn blocking<T: Send + 'static>(
        self,
        work: impl FnOnce(Self) -> Result<T, ArchiveError> + Send + 'static,
    ) -> Result<T, Problem> {
        match tokio::task::spawn_blocking(move || work(self)).await {
            Ok(outcome) => outcome.map_err(Problem::from),
            Err(error) => Err(Problem::internal("read the records", &error)),
        }
    }
}

fn card_of(record: &Record) -> Result<&'static Card, Problem> {
    let studies = pgstrata_cases::studies();
    let study = studies.iter().find(|study| study.card().name == record.study);
    study.map(|study| study.card()).ok_or_else(|| Problem::missing(format!("there is no study {}", record.study)))
}

fn typed(body: impl IntoResponse, media_type: &'static str) -> Response {
    let mut answer = body.into_response();
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}

impl From<ChartName> for Chart {
    fn from(name: ChartName) -> Self {
        match name {
            ChartName::Throughput => Self::Throughput,
            ChartName::Latency => Self::Latency,
            ChartName::Timeline => Self::Timeline,
            ChartName::Pairs => Self::Pairs,
        }
    }
}
