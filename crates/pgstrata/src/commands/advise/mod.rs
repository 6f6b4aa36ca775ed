//! `pgstrata advise`: reads programs, decides their levels, proves them if asked, and says it.

mod catalogue;
mod code;
mod decision;
mod fuzz;
pub mod input;
mod log;
mod output;
mod proof;

use pgstrata_lab::error::LabError;
use pgstrata_tools::advisor::examples::example;
use pgstrata_tools::advisor::gate::{FailOn, findings};
use pgstrata_tools::advisor::input::question_hash;
use pgstrata_tools::advisor::present::{Adr, Made, Scene, adr_html, adr_markdown, text};
use pgstrata_tools::advisor::requirement::file::template;
use pgstrata_tools::advisor::templates::Language as CodeLanguage;
use pgstrata_tools::advisor::{Decision, Options, Report, Requirement, analyse};
use serde_json::json;

use crate::Ended;
use crate::cli::advise::{AdviseArgs, ExampleName, ExportArg, FailOnArg};
use crate::cli::advise_fuzz::AdviseCommand;
use crate::terminal::Terminal;
use input::Question;
use output::write;

/// What standard output holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The report, for people.
    Report,
    /// The code alone.
    Code(CodeLanguage),
    /// A record in Markdown.
    Adr,
    /// All of it.
    Json,
}

/// What was decided, for whoever shows it.
struct Answer<'a> {
    question: &'a Question,
    report: &'a Report,
    requirement: &'a Requirement,
    decision: Option<&'a Decision>,
}

pub async fn advise(args: &AdviseArgs, terminal: Terminal) -> anyhow::Result<Ended> {
    if let Some(AdviseCommand::Fuzz(args)) = &args.command {
        return fuzz::perform(args, terminal).await;
    }
    if args.requirement_template {
        print!("{}", template(terminal.language));
        return Ok(Ended::Held);
    }
    let form = form(args);
    output::refuse_what_cannot_be_written(args)?;
    // Mistakes of the requirement are told before a long log is read.
    let requirement = decision::requirement(args)?;
    let question = match args.example {
        Some(name) => built_in(name)?,
        None => input::question(&args.programs, terminal).await?,
    };
    if let Some(path) = &args.write_sql {
        write(path, &written(&question, args)?)?;
    }
    let allocation = input::allocation(&args.programs, &question.read)?;
    let options = Options { allocation: Some(allocation), may_promote: args.may_change_sql };
    let report = analyse(&question.read.workload, &question.read.schema, &options);
    let is_decided = decision::is_asked(args) || form == Form::Adr || args.report.is_some();
    let decision = is_decided.then(|| decision::decide(&requirement, &report));
    let answer =
        Answer { question: &question, report: &report, requirement: &requirement, decision: decision.as_ref() };
    if form == Form::Report {
        show(&answer, decision::is_asked(args), terminal);
    }
    let proof = if args.prove {
        Some(proof::prove(args, &question.read, &report, terminal, form != Form::Report).await?)
    } else {
        None
    };
    match form {
        Form::Report => {}
        Form::Code(language) => print!("{}", code::printed(&answer, args, language, terminal.language)),
        Form::Adr => print!("{}", record(&answer, args, proof.as_ref(), terminal, adr_markdown)),
        Form::Json => {
            let value = json!({
                "workload": question.read.workload, "report": report, "decision": decision, "log": question.log,
                "proof": proof,
            });
            println!("{}", serde_json::to_string_pretty(&value)?);
        }
    }
    if let (Some(directory), Some(language)) = (&args.out, args.code) {
        let written = code::write_all(&answer, args, language, directory, terminal.language)?;
        eprintln!("{written}");
    }
    if let Some(path) = &args.report {
        let is_html = path.extension().is_some_and(|extension| extension == "html");
        let writer = if is_html { adr_html } else { adr_markdown };
        write(path, &record(&answer, args, proof.as_ref(), terminal, writer))?;
    }
    let fail_on = FailOn::from(args.fail_on);
    let counts = findings(&question.read.workload, &report).iter().any(|finding| fail_on.fails(finding));
    let is_contradicted = proof.is_some_and(|proof| !proof.agrees());
    Ok(if counts || is_contradicted { Ended::Failed } else { Ended::Held })
}

fn form(args: &AdviseArgs) -> Form {
    match (args.export, args.code) {
        (Some(ExportArg::Adr), _) => Form::Adr,
        (Some(ExportArg::Json), _) => Form::Json,
        (None, _) if args.json => Form::Json,
        (None, Some(language)) if args.out.is_none() => Form::Code(language),
        (None, _) => Form::Report,
    }
}

/// The report, for people.
fn show(answer: &Answer<'_>, with_decision: bool, terminal: Terminal) {
    if let Some(log) = &answer.question.log {
        println!("{}\n", log::show(log, terminal.style()));
    }
    let scene = Scene { workload: &answer.question.read.workload, report: answer.report };
    print!("{}", text(&scene, terminal.style()));
    if let Some(decision) = answer.decision.filter(|_| with_decision) {
        println!("{}", decision::show(decision, terminal.style()));
    }
}

/// The answer as a record.
fn record(
    answer: &Answer<'_>,
    args: &AdviseArgs,
    proof: Option<&pgstrata_tools::advisor::proof::Proof>,
    terminal: Terminal,
    writer: fn(&Adr<'_>) -> String,
) -> String {
    let language = args.code.unwrap_or(CodeLanguage::Sql);
    let code = code::of(answer, args, language);
    let Answer { question, report, requirement, decision } = answer;
    let is_without_files = args.programs.sql.is_empty();
    writer(&Adr {
        title: "",
        scene: Scene { workload: &question.read.workload, report },
        sources: if is_without_files { &question.input.programs } else { &[] },
        requirement,
        decision: *decision,
        proof,
        code: Some((language, &code)),
        made: Made {
            version: env!("CARGO_PKG_VERSION"),
            question: &question_hash(&question.input, requirement, &report.asked_levels),
        },
        language: terminal.language,
    })
}

/// The programs as a file.
fn written(question: &Question, args: &AdviseArgs) -> Result<String, LabError> {
    if let Some(log) = &question.log {
        return Ok(log.sql());
    }
    let of_example = args.example.and_then(|name| example(name.name())).map(|example| example.sql.to_owned());
    of_example.ok_or_else(|| LabError::usage("--write-sql has nothing to write", "it goes with --log or --example"))
}

/// A built-in example.
fn built_in(name: ExampleName) -> Result<Question, LabError> {
    let found = example(name.name()).ok_or_else(|| LabError::usage("there is no such example", "see --help"))?;
    let input = found.input();
    Ok(Question { read: input::read(&input)?, input, log: None })
}

impl From<FailOnArg> for FailOn {
    fn from(argument: FailOnArg) -> Self {
        match argument {
            FailOnArg::Unsafe => Self::Unsafe,
            FailOnArg::Unknown => Self::Unknown,
            FailOnArg::Never => Self::Never,
        }
    }
}
