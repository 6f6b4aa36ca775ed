//! `pgstrata mvcc watch` and `record`: looks again and again, and prints or keeps what has changed.

use std::time::{Duration, Instant};

use pgstrata_pg::Endpoint;
use pgstrata_timeline::file::Ending;
use pgstrata_timeline::{Change, LogLimits, Moment};
use pgstrata_tools::mvcc::{Follower, Options, Recorder, RecorderLimits, Recording, Watch};
use pgstrata_units::Text;
use tokio_util::sync::CancellationToken;

use super::{paint, tier};
use crate::cli::mvcc::{RecordArgs, SeenArgs, TargetArgs, WatchArgs};
use crate::interrupt;
use crate::terminal::Terminal;

/// How often progress is shown.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Whoever takes the changes says whether to go on.
enum Go {
    On,
    Stop,
}

pub async fn watch(args: &WatchArgs, terminal: Terminal) -> anyhow::Result<()> {
    let interrupt = interrupt::token()?;
    let follower = begin(&args.server).await?;
    if !args.json {
        eprintln!("{}", terminal.say(Text { en: "watching; Ctrl-C ends it", zh: "正在观察，Ctrl-C 结束" }));
    }
    let take = |change: &Change, before: &Moment| {
        if args.json {
            println!("{}", serde_json::to_string(change)?);
        } else {
            for line in paint::change(change, before, terminal) {
                println!("{line}");
            }
        }
        Ok(Go::On)
    };
    // Boxed: what follows a server holds its pictures, too much for a future on the stack.
    Box::pin(follow(follower, target(&args.target), args.duration, &interrupt, take)).await
}

pub async fn record(args: &RecordArgs, terminal: Terminal) -> anyhow::Result<()> {
    let interrupt = interrupt::token()?;
    let mut follower = begin(&args.server).await?;
    let limits = RecorderLimits { bytes: args.max_size << 20, time: args.duration };
    let header = follower.header(&target(&args.target), args.title.clone());
    let mut recorder = Recorder::create(&args.out, &header, Moment::default(), limits)?;
    eprintln!("{}", terminal.say(Text { en: "recording; Ctrl-C ends it", zh: "正在录制，Ctrl-C 结束" }));
    let mut shown = Instant::now();
    let take = |change: &Change, _: &Moment| {
        let ended = recorder.append(change)?;
        if terminal.interactive && shown.elapsed() >= PROGRESS_EVERY {
            shown = Instant::now();
            if let Some((bytes, last)) = recorder.progress() {
                eprint!("\r{last} {}, {} KiB ", terminal.say(Text { en: "changes", zh: "项变化" }), bytes >> 10);
            }
        }
        Ok(if ended.is_some() { Go::Stop } else { Go::On })
    };
    let outcome = Box::pin(follow(follower, target(&args.target), Some(args.duration), &interrupt, take)).await;
    let ending = recorder.finish()?;
    outcome?;
    let summary = Recording::open(&args.out)?.summary()?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&summary)?);
        return Ok(());
    }
    if terminal.interactive {
        eprintln!();
    }
    print!("{}", paint::summary(&summary, terminal));
    if ending == Ending::BytesReached {
        let sentence = Text {
            en: "it has reached its size; --max-size allows more",
            zh: "已达到大小上限，可用 --max-size 放宽",
        };
        eprintln!("{}", terminal.say(sentence));
    }
    Ok(())
}

/// Follows a server as far as it lets itself be followed.
async fn begin(args: &SeenArgs) -> anyhow::Result<Follower> {
    let endpoint = Endpoint::parse(&args.database_url)?;
    let options = Options { best: args.best.map(tier), ..Options::default() };
    Ok(Follower::begin(&endpoint, options, LogLimits { changes: 1, bytes: 0 }).await?)
}

fn target(args: &TargetArgs) -> Watch {
    Watch { table: args.table.clone(), row: args.key.clone(), ..Watch::default() }
}

/// Follows until told to stop, and hands on each change with the moment before it.
async fn follow(
    mut follower: Follower,
    watch: Watch,
    duration: Option<Duration>,
    interrupt: &CancellationToken,
    mut take: impl FnMut(&Change, &Moment) -> anyhow::Result<Go>,
) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut moment = Moment::default();
    let mut changes = follower.watch(watch).await;
    'following: while !interrupt.is_cancelled() {
        for change in &changes {
            if matches!(take(change, &moment)?, Go::Stop) {
                break 'following;
            }
            moment.fold(change);
        }
        let left = duration.map(|duration| duration.saturating_sub(began.elapsed()));
        // However short the time is, there is a first look.
        let left = left.filter(|_| moment.seq > 0);
        if left.is_some_and(|left| left.is_zero()) {
            break;
        }
        changes = tokio::select! {
            changes = follower.next() => changes,
            () = tokio::time::sleep(left.unwrap_or(Duration::MAX)) => break,
            () = interrupt.cancelled() => break,
        };
    }
    follower.close().await;
    Ok(())
}
