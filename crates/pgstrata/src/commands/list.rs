//! `pgstrata list`: what can be run.

use std::sync::Arc;

use pgstrata_lab::error::{LabError, nearest};
use pgstrata_lab::faults::CATALOGUE;
use pgstrata_lab::study::{Card, Study};
use pgstrata_units::Text;
use serde_json::json;

use crate::Ended;
use crate::cli::ListArgs;
use crate::terminal::Terminal;

/// Everything that can be run, in the order of the plan's ids.
pub fn studies() -> Vec<Arc<dyn Study>> {
    pgstrata_cases::studies().into_iter().chain(pgstrata_tools::studies()).collect()
}

/// The study of this name, or the first of this id.
pub fn find(name: &str) -> Result<Arc<dyn Study>, LabError> {
    let studies = studies();
    if let Some(study) = studies.iter().find(|study| study.card().name == name || study.card().id.as_str() == name) {
        return Ok(Arc::clone(study));
    }
    let names: Vec<&str> = studies.iter().map(|study| study.card().name).collect();
    let hint = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the studies are {}; `pgstrata list` describes them", names.join(", ")),
    };
    Err(LabError::usage(format!("there is no study named `{name}`"), hint))
}

pub fn list(args: &ListArgs, terminal: Terminal) -> anyhow::Result<Ended> {
    if args.faults {
        list_faults(args.json, terminal)?;
    } else if let Some(name) = &args.study {
        let study = find(name)?;
        if args.json {
            println!("{}", serde_json::to_string_pretty(&describe(study.card()))?);
        } else {
            print_card(study.card(), terminal);
        }
    } else if args.json {
        let cards: Vec<_> = studies().iter().map(|study| describe(study.card())).collect();
        println!("{}", serde_json::to_string_pretty(&cards)?);
    } else {
        for study in studies() {
            let card = study.card();
            println!("{}  {:<16} {}", card.id, card.name, terminal.say(card.title));
            println!("       {}", terminal.say(card.summary));
        }
    }
    Ok(Ended::Held)
}

fn list_faults(json: bool, terminal: Terminal) -> anyhow::Result<()> {
    if json {
        let faults: Vec<_> =
            CATALOGUE.iter().map(|fault| json!({ "name": fault.name, "summary": fault.summary.en })).collect();
        println!("{}", serde_json::to_string_pretty(&faults)?);
    } else {
        for fault in &CATALOGUE {
            println!("{:<24} {}", fault.name, terminal.say(fault.summary));
        }
    }
    Ok(())
}

fn print_card(card: &Card, terminal: Terminal) {
    let heading = |text: Text| println!("\n{}", terminal.say(text));
    println!("{}  {}: {}", card.id, card.name, terminal.say(card.title));
    println!("{}", terminal.say(card.summary));
    heading(Text { en: "Arms", zh: "方案" });
    for arm in card.arms {
        println!("  {:<20} {}", arm.name, terminal.say(arm.summary));
    }
    heading(Text { en: "Invariants", zh: "不变量" });
    for invariant in card.invariants {
        println!("  {:<4} {}", invariant.id, terminal.say(invariant.statement));
    }
    heading(Text { en: "Claims", zh: "指标" });
    for claim in card.claims {
        println!("  {:<28} {}", claim.name, terminal.say(claim.statement));
    }
}

fn describe(card: &Card) -> serde_json::Value {
    json!({
        "id": card.id,
        "name": card.name,
        "title": card.title,
        "summary": card.summary,
        "operation": card.operation,
        "baseline": card.baseline,
        "arms": card.arms.iter().map(|arm| json!({
            "name": arm.name,
            "title": arm.title,
            "summary": arm.summary,
            "kind": arm.kind,
            "clients": arm.clients.get(),
        })).collect::<Vec<_>>(),
        "invariants": card.invariants.iter().map(|invariant| json!({
            "id": invariant.id,
            "statement": invariant.statement,
        })).collect::<Vec<_>>(),
        "claims": card.claims.iter().map(|claim| json!({
            "name": claim.name,
            "statement": claim.statement,
            "target": claim.target,
            "unit": claim.unit,
        })).collect::<Vec<_>>(),
    })
}
