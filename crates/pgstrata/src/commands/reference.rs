//! Completions, manual pages and the generated parts of the documentation.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use pgstrata_lab::record::Record;
use pgstrata_lab::report::Style;
use pgstrata_lab::report::plot::{Chart, Frame};
use pgstrata_lab::{archive, report};
use pgstrata_tools::advisor::estimate::measured::{self, MeasuredArm};
use pgstrata_tools::advisor::examples::example;
use pgstrata_tools::advisor::grid;
use pgstrata_tools::advisor::present::{self, Scene};
use pgstrata_tools::advisor::proof::fuzz;
use pgstrata_tools::advisor::ranking::{RankingModel, by_rules, card_markdown};
use pgstrata_tools::advisor::{Options, analyse};
use pgstrata_units::Language;

use crate::Ended;
use crate::cli::{Cli, ReferenceArgs};

/// Prints a completion script.
pub fn completions(shell: Shell) -> Ended {
    clap_complete::generate(shell, &mut Cli::command(), "pgstrata", &mut std::io::stdout());
    Ended::Held
}

/// Prints the manual page, or writes one for each command.
pub fn man(dir: Option<&Path>) -> anyhow::Result<Ended> {
    match dir {
        None => clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?,
        Some(dir) => {
            std::fs::create_dir_all(dir).with_context(|| format!("could not make {}", dir.display()))?;
            clap_mangen::generate_to(Cli::command(), dir)
                .with_context(|| format!("could not write into {}", dir.display()))?;
        }
    }
    Ok(Ended::Held)
}

/// Prints a generated part of the documentation. Tables and charts are of the latest record with the preset full, of
/// `STUDY/ARM,ARM` the latest that measured these arms and no others; a study that has none yet gets a sentence, or a chart,
/// that says how to make one.
pub fn reference(args: &ReferenceArgs, language: Language) -> anyhow::Result<Ended> {
    let chart = Chart::ALL.into_iter().find(|chart| chart.name() == args.what);
    match (args.what.as_str(), &args.name, chart) {
        ("cli", None, _) => print!("{}", cli_reference()),
        ("openapi", None, _) => println!("{}", pgstrata_server::openapi_json()),
        ("measured", None, _) => println!("{}", measured_arms(&args.dir)?),
        ("ranking-model", None, _) => println!("{}", ranking_model(&args.dir)?),
        ("advise", Some(name), _) => print!("{}", advised(name, language)?),
        ("model-card", Some(name), _) if name == "advisor" => println!("{}", model_card(language)?),
        ("advisor-fuzz", Some(name), _) if name == "advisor" => print!("{}", advisor_fuzz(&args.dir, language)?),
        ("table", Some(study), _) => match latest(&args.dir, study)? {
            Some(record) => print!("{}", report::markdown_in(&record, language)),
            None => println!("{}", no_record(study, language, "`")),
        },
        (_, Some(study), Some(chart)) => {
            let drawn = latest(&args.dir, study)?.and_then(|record| chart.draw(&record, language, Frame::Standalone));
            print!("{}", drawn.unwrap_or_else(|| empty_chart(study, language)));
        }
        _ => bail!(
            "the parts are `cli`, `openapi`, `measured`, `ranking-model`, `model-card advisor`, `advisor-fuzz advisor`, \
             `advise EXAMPLE`, `table STUDY`, and `throughput STUDY` like every chart's name"
        ),
    }
    Ok(Ended::Held)
}

/// Columns of a page's block of code.
const PAGE_WIDTH: u16 = 110;

/// What the advisor prints of an example, as a block of code.
fn advised(name: &str, language: Language) -> anyhow::Result<String> {
    let Some(example) = example(name) else { bail!("there is no example `{name}`") };
    let Ok(read) = example.input().read() else { bail!("the example `{name}` cannot be read") };
    let report = analyse(&read.workload, &read.schema, &Options::default());
    let style = Style { width: PAGE_WIDTH, language, ..Style::default() };
    let shown = present::text(&Scene { workload: &read.workload, report: &report }, style);
    Ok(format!("```text\n$ pgstrata advise --example {name}\n{}\n```\n", shown.trim_end()))
}

/// What the records say of each arm that the advisor may quote: of its latest full run, as JSON.
fn measured_arms(dir: &Path) -> anyhow::Result<String> {
    let mut latest: BTreeMap<(String, String), MeasuredArm> = BTreeMap::new();
    for entry in archive::list(dir)?.into_iter().filter(|entry| entry.preset == "full") {
        if !measured::STUDIES.contains(&entry.study.as_str()) {
            continue;
        }
        let file = entry.path.strip_prefix(dir).unwrap_or(&entry.path);
        let shown = format!("record/{}", file.display());
        for arm in measured::of_record(&archive::load(&entry.path)?, &shown) {
            latest.insert((arm.study.clone(), arm.arm.clone()), arm);
        }
    }
    Ok(serde_json::to_string_pretty(&latest.into_values().collect::<Vec<_>>())?)
}

/// The latest full record of `STUDY` or `STUDY/ARM,ARM`.
fn latest(dir: &Path, name: &str) -> anyhow::Result<Option<Record>> {
    let (study, arms) = name.split_once('/').unwrap_or((name, ""));
    let arms: Vec<&str> = arms.split(',').filter(|arm| !arm.is_empty()).collect();
    Ok(archive::latest(dir, study, "full", &arms)?)
}

/// The model file that ships, trained on the latest grid; `null` where there is none.
fn ranking_model(dir: &Path) -> anyhow::Result<String> {
    let Some((name, grid)) = grid::latest(dir)? else { return Ok("null".to_owned()) };
    let model = RankingModel::train(&format!("record/{name}"), grid.training(), by_rules)?;
    Ok(model.file().text()?)
}

/// The card of the model that ships.
fn model_card(language: Language) -> anyhow::Result<String> {
    Ok(match RankingModel::shipped()? {
        Some(model) => card_markdown(model.card(), language),
        None => match language {
            Language::English => {
                "There is no grid yet, and no model: the rules rank. `pgstrata bench grid --record` measures one."
                    .to_owned()
            }
            Language::Chinese => {
                "还没有测量网格，也没有模型：由规则排序。`pgstrata bench grid --record` 会测量一份。".to_owned()
            }
        },
    })
}

/// What the latest run of `pgstrata advise fuzz` found.
fn advisor_fuzz(dir: &Path, language: Language) -> anyhow::Result<String> {
    Ok(match fuzz::latest(dir)? {
        Some(record) => record.markdown(language),
        None => match language {
            Language::English => "There is no record yet; `pgstrata advise fuzz --sets 500 --record` makes one.\n",
            Language::Chinese => "还没有记录；`pgstrata advise fuzz --sets 500 --record` 会生成一份。\n",
        }
        .to_owned(),
    })
}

/// How to make the record that is missing; `quote` stands around the command.
fn no_record(study: &str, language: Language, quote: &str) -> String {
    let arms = study.split_once('/').map_or(String::new(), |(_, arms)| format!(" --arms {arms}"));
    let study = study.split('/').next().unwrap_or_default();
    let command = format!("{quote}pgstrata run {study}{arms} --preset full --record{quote}");
    match language {
        Language::English => format!("There is no record yet; {command} makes one."),
        Language::Chinese => format!("还没有运行记录；{command} 会生成一份。"),
    }
}

/// A picture for a chart that there is nothing to draw from: documents name its file, so it has to be there.
fn empty_chart(study: &str, language: Language) -> String {
    let text = no_record(study, language, "");
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 860 60\" width=\"860\" height=\"60\">\n<rect \
         width=\"860\" height=\"60\" fill=\"#eef1f4\"/>\n<text x=\"430\" y=\"36\" text-anchor=\"middle\" \
         font-family=\"sans-serif\" font-size=\"15\" fill=\"#3c4650\">{text}</text>\n</svg>\n"
    )
}

/// Every command's own help, as one Markdown page.
fn cli_reference() -> String {
    let mut page = String::from("# Command line\n\nThis page is generated from the program's own help.\n");
    let mut root = Cli::command();
    root.build();
    describe(&mut page, &root, "pgstrata");
    page
}

fn describe(page: &mut String, command: &Command, path: &str) {
    let help = command.clone().term_width(100).render_long_help().to_string();
    page.push_str("\n## `");
    page.push_str(path);
    page.push_str("`\n\n```text\n");
    for line in help.trim_end().lines() {
        page.push_str(line.trim_end());
        page.push('\n');
    }
    page.push_str("```\n");
    for child in command.get_subcommands().filter(|child| !child.is_hide_set() && child.get_name() != "help") {
        describe(page, child, &format!("{path} {}", child.get_name()));
    }
}
