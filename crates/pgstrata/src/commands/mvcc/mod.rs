//! `pgstrata mvcc`: versions, waits and moments of a server on the terminal.

mod follow;
mod paint;
mod replay;
mod soak;
mod words;

use std::collections::BTreeSet;

use pgstrata_pg::{AttachPolicy, Attached, Endpoint};
use pgstrata_timeline::{Item, Moment, Tier};
use pgstrata_tools::mvcc::{Limits, MvccError, Observer, Options, TierState, Watch, note};
use pgstrata_units::Text;

use crate::Ended;
use crate::cli::mvcc::{ExtensionArg, MvccCommand, SeenArgs, TierArg, TiersArgs, VersionsArgs};
use crate::terminal::Terminal;

/// Pages that one look of `versions` reads: there is only this one.
const PAGES_OF_ONE_LOOK: usize = 1_024;

pub async fn mvcc(command: MvccCommand, terminal: Terminal) -> anyhow::Result<Ended> {
    match command {
        MvccCommand::Tiers(args) => tiers(&args, terminal).await?,
        MvccCommand::Versions(args) => versions(&args, terminal).await?,
        MvccCommand::Watch(args) => follow::watch(&args, terminal).await?,
        MvccCommand::Record(args) => follow::record(&args, terminal).await?,
        MvccCommand::Replay(args) => replay::replay(&args, terminal)?,
        MvccCommand::Export(args) => replay::export(&args, terminal)?,
        MvccCommand::Soak(args) => return soak::soak(&args, terminal).await,
    }
    Ok(Ended::Held)
}

/// Attaches an observer, which cannot write.
async fn attach(args: &SeenArgs, limits: Limits) -> anyhow::Result<Observer> {
    let endpoint = Endpoint::parse(&args.database_url)?;
    Ok(Observer::attach(&endpoint, Options { limits, best: args.best.map(tier) }).await?)
}

fn tier(tier: TierArg) -> Tier {
    match tier {
        TierArg::Sql => Tier::Sql,
        TierArg::Pageinspect => Tier::Pageinspect,
        TierArg::Extension => Tier::Extension,
        TierArg::Preloaded => Tier::Preloaded,
    }
}

async fn tiers(args: &TiersArgs, terminal: Terminal) -> anyhow::Result<()> {
    if let Some(extension) = args.create_extension {
        create(&args.server, extension, args.allow_write).await?;
    }
    let observer = attach(&args.server, Limits::default()).await?;
    let states = observer.tiers();
    let (version, database) = observer.server();
    observer.close().await;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&states)?);
        return Ok(());
    }
    println!("PostgreSQL {version}, {database}");
    for TierState { tier, is_there, lack } in &states {
        let mark = if *is_there {
            terminal.say(Text { en: "yes", zh: "有" })
        } else {
            terminal.say(Text { en: "no", zh: "无" })
        };
        let lack = lack.as_ref().map(|lack| words::note(lack, terminal.language)).unwrap_or_default();
        println!("{mark:<4} {:<12} {} {lack}", words::tier_name(*tier), terminal.say(words::tier(*tier)));
    }
    Ok(())
}

async fn create(server: &SeenArgs, extension: ExtensionArg, allow_write: bool) -> anyhow::Result<()> {
    let policy = if allow_write { AttachPolicy::AllowWrite } else { AttachPolicy::ReadOnly };
    let attached = Attached::open(Endpoint::parse(&server.database_url)?, policy).await?;
    let session = attached.endpoint_for_writing()?.connect().await?;
    let statement = match extension {
        ExtensionArg::Pageinspect => "create extension if not exists pageinspect",
        ExtensionArg::MvccVisualizer => "create extension if not exists mvcc_visualizer",
    };
    session.batch_execute(statement).await.map_err(pgstrata_pg::Error::from)?;
    session.close().await;
    Ok(())
}

async fn versions(args: &VersionsArgs, terminal: Terminal) -> anyhow::Result<()> {
    let limits = Limits { pages: PAGES_OF_ONE_LOOK, ..Limits::default() };
    let mut observer = attach(&args.server, limits).await?;
    let most = usize::try_from(args.most).unwrap_or(usize::MAX);
    observer.watch(Watch {
        table: Some(args.table.clone()),
        row: args.key.clone(),
        max_versions: Some(most),
        ..Watch::default()
    });
    let sample = observer.sample().await;
    observer.close().await;
    let items = sample.items.into_iter().map(|put| (put.key.clone(), put.into())).collect();
    let moment = Moment { seq: 0, at: Some(sample.at), items };
    let codes: BTreeSet<String> = notes(&moment).iter().map(|line| note::split(line).0.to_owned()).collect();
    if codes.contains("table-missing") {
        return Err(MvccError::NoTable { name: args.table.clone() }.into());
    }
    if args.json {
        let wanted = |item: &Item| {
            matches!(item, Item::Server(_) | Item::Version(_) | Item::Verdict(_) | Item::Viewer(_) | Item::Horizon(_))
        };
        let shown: Vec<_> = moment.items.values().filter(|put| wanted(&put.item)).collect();
        println!("{}", serde_json::to_string_pretty(&shown)?);
        return Ok(());
    }
    print!("{}", paint::versions(&moment, terminal));
    print!("{}", paint::notes(&moment, terminal));
    Ok(())
}

/// The notes of a moment.
fn notes(moment: &Moment) -> Vec<String> {
    let server = moment.items.values().find_map(|put| match &put.item {
        Item::Server(server) => Some(server.notes.clone()),
        _ => None,
    });
    server.unwrap_or_default()
}
