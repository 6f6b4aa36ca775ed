//! `cargo xtask new-study cases ledger`: a study that compiles, runs, is judged and passes every check, to be rewritten
//! into what it should be. The files it starts from are under `xtask/templates/study/`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};

use crate::report::Outcome;
use crate::tree::Tree;
use crate::{cargo, template, tidy};

/// What is asked for.
#[derive(Args)]
pub struct Options {
    /// The module of the plan.
    #[arg(value_enum)]
    module: Module,
    /// The name on the command line: lower-case words with hyphens.
    name: String,
    /// The plan's id, such as 09-02; the module's first id that is not taken when left out.
    #[arg(long)]
    id: Option<String>,
}

/// The modules, each a crate at the top of the tree.
#[derive(Clone, Copy, ValueEnum)]
enum Module {
    Cases,
    Research,
    Tools,
}

impl Module {
    /// The crate's folder, and the shelf in the book.
    fn folder(self) -> &'static str {
        match self {
            Self::Cases => "cases",
            Self::Research => "research",
            Self::Tools => "tools",
        }
    }

    /// The plan's number, and how many systems it names in the module.
    fn numbers(self) -> (u32, u32) {
        match self {
            Self::Cases => (9, 10),
            Self::Research => (10, 8),
            Self::Tools => (11, 5),
        }
    }
}

/// The files of the study's folder. Its pages in the book are made from the book's own template.
const SOURCES: &[(&str, &str)] = &[
    ("mod.rs", include_str!("../templates/study/mod.rs.template")),
    ("schema.sql", include_str!("../templates/study/schema.sql.template")),
    ("clear.sql", include_str!("../templates/study/clear.sql.template")),
    ("single_statement.sql", include_str!("../templates/study/single_statement.sql.template")),
    ("read.sql", include_str!("../templates/study/read.sql.template")),
    ("write.sql", include_str!("../templates/study/write.sql.template")),
    ("i1_total_is_additions.sql", include_str!("../templates/study/i1_total_is_additions.sql.template")),
    ("additions.sql", include_str!("../templates/study/additions.sql.template")),
];

/// Makes the study in the repository.
pub fn perform(root: &Path, options: &Options) -> Result<ExitCode> {
    let tree = Tree::read(root)?;
    let id = id(&tree, options.module, options.id.as_deref())?;
    let files = plan(&tree, options.module, &options.name, &id)?;
    write(root, &files)?;
    cargo::fmt(root, false)?;
    for (path, _) in &files {
        println!("wrote {path}");
    }
    println!("\nIt runs now: cargo run --release -- run {} --preset smoke", options.name);
    println!("Then: the card and the invariants, the arms, the statements, the pages; and `./x test`.");
    Ok(ExitCode::SUCCESS)
}

/// Makes a study in a copy of the tree and lints it there: what people start from must itself be right.
pub fn check(root: &Path) -> Result<Outcome> {
    let copy = root.join("target/new-study");
    if copy.exists() {
        std::fs::remove_dir_all(&copy).context("removing the last copy")?;
    }
    let tree = Tree::read(root)?;
    // When all are taken, two with one id still compile.
    let id = id(&tree, Module::Cases, None).unwrap_or_else(|_| "09-01".to_owned());
    let planned = plan(&tree, Module::Cases, "planted-study", &id)?;
    let files: Vec<_> = tree.files().map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
    write(&copy, &files)?;
    write(&copy, &planned)?;
    let before = tidy::findings(&tree);
    let after = tidy::findings(&tree.with(planned));
    if let Some(new) = after.iter().find(|finding| !before.contains(finding)) {
        return Ok(Outcome::Failed(format!("cargo xtask tidy would say of a new study: {new}")));
    }
    // The packages' own folder for compiled code: only the crates of the workspace are compiled again.
    let mut clippy = cargo::command(&copy, &["clippy", "--package", "pgstrata-cases", "--all-targets", "--locked"]);
    clippy.env("CARGO_TARGET_DIR", root.join("target")).args(["--", "--deny", "warnings"]);
    let held = cargo::status(clippy)?.success();
    Ok(if held { Outcome::Passed } else { Outcome::Failed("a new study is not clean".to_owned()) })
}

/// The files to write, with their texts.
fn plan(tree: &Tree, module: Module, name: &str, id: &str) -> Result<Vec<(String, String)>> {
    let folder = module.folder();
    let words: Vec<&str> = name.split('-').collect();
    let plain = |word: &&str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    ensure!(words.iter().all(plain), "`{name}` is not lower-case words with hyphens, such as flash-sale");
    let snake = words.join("_");
    let library = format!("{folder}/src/lib.rs");
    let registry = tree.text(&library).with_context(|| format!("there is no crate {folder}/ yet"))?;
    ensure!(!tree.has(&format!("{folder}/src/{snake}")), "{folder}/src/{snake} is there already");

    let kind: String = words.iter().map(|word| capital(word)).collect();
    let title = format!("{id} {}", capital(&words.join(" ")));
    let fill = |text: &str| {
        text.replace("@id@", id)
            .replace("@kebab@", name)
            .replace("@snake@", &snake)
            .replace("@Type@", &kind)
            .replace("@name@", &words.join(" "))
    };
    let mut files = vec![(library, registered(registry, &snake, &kind)?)];
    files.extend(SOURCES.iter().map(|(file, text)| (format!("{folder}/src/{snake}/{file}"), fill(text))));
    let pages = template::pages(tree);
    ensure!(!pages.is_empty(), "{} lists no pages", template::TEMPLATE);
    for language in &template::LANGUAGES {
        let shelf = format!("{}/{folder}/{name}", language.root);
        let page = |page: &template::Page| (format!("{shelf}/{}.md", page.name), page.skeleton(&title, language));
        files.extend(pages.iter().map(page));
    }
    Ok(files)
}

/// The id asked for, or the module's first that no study has.
fn id(tree: &Tree, module: Module, asked: Option<&str>) -> Result<String> {
    let (number, count) = module.numbers();
    let sources: Vec<&str> = tree
        .with_extension("rs")
        .filter(|(path, _)| path.starts_with(&format!("{}/src/", module.folder())))
        .map(|(_, text)| text)
        .collect();
    let taken = |id: &str| sources.iter().any(|text| text.contains(&format!("\"{id}\"")));
    let mut ids = (1..=count).map(|place| format!("{number:02}-{place:02}"));
    match asked {
        None => ids.find(|id| !taken(id)).context("every system of this module is there"),
        Some(asked) => {
            ensure!(ids.any(|id| id == asked), "`{asked}` is not an id of this module");
            ensure!(!taken(asked), "{asked} is taken");
            Ok(asked.to_owned())
        }
    }
}

/// The crate's `lib.rs` with the study in its list: `pub mod` lines in order of name, `studies()` in order of id.
fn registered(library: &str, snake: &str, kind: &str) -> Result<String> {
    let hint = format!("add `pub mod {snake};` and `Arc::new({snake}::{kind})` by hand");
    let line = format!("pub mod {snake};\n");
    let modules = || library.match_indices("\npub mod ").map(|(at, _)| at + 1);
    let after = modules().find(|at| library[*at..] > *line.as_str());
    let end_of = |at: usize| library[at..].find('\n').map(|length| at + length + 1);
    let Some(place) = after.or_else(|| modules().last().and_then(end_of)) else { bail!("no `pub mod` found; {hint}") };
    let with_module = format!("{}{line}{}", &library[..place], &library[place..]);

    let list =
        with_module.find("fn studies()").and_then(|at| Some(at + with_module[at..].find("vec![")? + "vec![".len()));
    let Some(list) = list else { bail!("no `fn studies()` with a `vec![…]` found; {hint}") };
    let end = list + with_module[list..].find(']').with_context(|| hint.clone())?;
    let entries = with_module[list..end].trim_end().trim_end_matches(',');
    let comma = if entries.trim().is_empty() { "" } else { ", " };
    let (before, rest) = (&with_module[..list], &with_module[end..]);
    Ok(format!("{before}{entries}{comma}Arc::new({snake}::{kind}){rest}"))
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

fn write(root: &Path, files: &[(String, String)]) -> Result<()> {
    for (path, text) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(root))?;
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBRARY: &str = "//! Cases.\n\npub mod flash_sale;\n\n/// All.\npub fn studies() -> Vec<Arc<dyn Study>> {\n    \
        vec![Arc::new(flash_sale::FlashSale)]\n}\n";

    fn tree() -> Tree {
        Tree::planted(&[
            ("cases/src/lib.rs", LIBRARY),
            ("cases/src/flash_sale/mod.rs", "//! Sale.\nconst ID: SystemId = SystemId::known(\"09-01\");\n"),
            (
                template::TEMPLATE,
                "## `operations`: operations / 运维\n| Settings | 设置 | What to set. | 设置什么。 |\n",
            ),
        ])
    }

    #[test]
    fn a_new_study_is_listed_and_has_every_page() {
        let files = plan(&tree(), Module::Cases, "social-network", "09-02").expect("planned");
        let text = |path: &str| files.iter().find(|(name, _)| name == path).map(|(_, text)| text.as_str());
        let library = text("cases/src/lib.rs").expect("the list");
        assert!(library.contains("pub mod flash_sale;\npub mod social_network;\n"), "{library}");
        assert!(library.contains("vec![Arc::new(flash_sale::FlashSale), Arc::new(social_network::SocialNetwork)]"));
        assert!(text("cases/src/social_network/mod.rs").is_some_and(|text| text.contains("\"09-02\"")));
        assert_eq!(
            text("book/cases/social-network/operations.md"),
            Some("# 09-02 Social network: operations\n\n## Settings\n\nWhat to set.\n")
        );
        assert!(text("book/zh/cases/social-network/operations.md").is_some_and(|text| text.contains("\n## 设置\n")));
        assert!(files.iter().all(|(_, text)| !text.contains('@')), "a placeholder is left");
    }

    #[test]
    fn modules_stay_in_order() {
        let library = registered(LIBRARY, "cache", "Cache").expect("registered");
        assert!(library.contains("pub mod cache;\npub mod flash_sale;\n"), "{library}");
        assert!(registered("//! Nothing.\n", "cache", "Cache").is_err());
    }

    #[test]
    fn the_next_id_is_the_first_that_is_not_taken() {
        assert_eq!(id(&tree(), Module::Cases, None).expect("an id"), "09-02");
        assert_eq!(id(&tree(), Module::Cases, Some("09-10")).expect("an id"), "09-10");
        for refused in ["09-01", "09-11", "10-01"] {
            assert!(id(&tree(), Module::Cases, Some(refused)).is_err(), "{refused}");
        }
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        for name in ["Ledger", "a--b", "", "9-lives", "flash-sale"] {
            assert!(plan(&tree(), Module::Cases, name, "09-02").is_err(), "{name}");
        }
        assert!(plan(&tree(), Module::Tools, "advisor", "11-01").is_err(), "there is no such crate");
    }
}
