//! `--folder` with a few hundred real documents: the Markdown files of the crates that this workspace is built from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sallyport_e2e::{program, succeeds};
use serde_json::{Value, json};

const WANTED: usize = 300;
const LIMITED: &str = "grace@larkfield.example";
const OTHER: &str = "hugo@larkfield.example";

/// README and change logs of the crates in cargo's registry, by the crate's folder.
fn real_documents() -> BTreeMap<String, Vec<PathBuf>> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml"))
        .exec()
        .expect("cargo metadata");
    let mut found: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for package in metadata.packages.iter().filter(|package| package.source.is_some()) {
        let folder = package.manifest_path.parent().expect("a folder").as_std_path();
        for name in ["README.md", "CHANGELOG.md"] {
            let path = folder.join(name);
            let fits = path.metadata().is_ok_and(|file| file.len() > 400 && file.len() < 6_000);
            if fits && std::fs::read_to_string(&path).is_ok() {
                found.entry(format!("{} {}", package.name, package.version)).or_default().push(path);
            }
        }
    }
    found
}

#[test]
fn a_few_hundred_real_documents_are_found_by_those_who_may_read_them() {
    let dir = tempfile::tempdir().expect("a folder");
    let (folder, data) = (dir.path().join("crates"), dir.path().join("data"));
    let mut paths = Vec::new();
    let crates = real_documents();
    for (number, (name, files)) in crates.iter().enumerate() {
        if paths.len() >= WANTED {
            break;
        }
        // Every fifth crate is for one person only.
        let limited = number % 5 == 0;
        let under = folder.join(if limited { "limited" } else { "open" }).join(name);
        std::fs::create_dir_all(&under).expect("made");
        for file in files {
            let to = under.join(file.file_name().expect("a name"));
            std::fs::copy(file, &to).expect("copied");
            let relative = to.strip_prefix(&folder).expect("below").to_str().expect("UTF-8").to_owned();
            paths.push((relative, limited, name.rsplit_once(' ').expect("a version").0.to_owned()));
        }
    }
    assert!(paths.len() >= WANTED, "only {} real documents were found: was `cargo fetch` run?", paths.len());
    std::fs::write(folder.join("limited/.access.json"), json!({ "readers": [LIMITED] }).to_string()).expect("written");

    let arguments =
        ["--data", data.to_str().unwrap(), "--output", "json", "demo", "--folder", folder.to_str().unwrap()];
    let asked = [&arguments[..], &["--ask", "What does serde do?", "--as", OTHER]].concat();
    let report = succeeds(&asked).json();
    let sync = report["steps"].as_array().unwrap().iter().find(|step| step["name"] == "sync").expect("a sync");
    println!("{} real documents: {} in {} ms", paths.len(), sync["did"], sync["duration_ms"]);

    // Each README is looked for by the first words of its text, as somebody who may and somebody who may not read it.
    let readmes: Vec<_> = paths.iter().filter(|(path, ..)| path.ends_with("README.md")).collect();
    let queries = dir.path().join("queries");
    let lines = readmes.iter().enumerate().flat_map(|(number, (path, _, name))| {
        let words = first_words(&std::fs::read_to_string(folder.join(path)).unwrap_or_default());
        [LIMITED, OTHER].map(|caller| {
            json!({ "id": format!("{number} {caller}"), "query": format!("{name} {words}"), "caller": caller })
                .to_string()
        })
    });
    std::fs::write(&queries, lines.collect::<Vec<_>>().join("\n")).expect("written");
    let mut search = Command::new(program());
    search.args([
        "--data",
        data.to_str().unwrap(),
        "--tenant",
        "demo",
        "search",
        "--queries",
        queries.to_str().unwrap(),
    ]);
    let output = search.stdin(Stdio::null()).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers: BTreeMap<String, Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("one answer a line"))
        .map(|answer| (answer["id"].as_str().expect("an id").to_owned(), answer["results"].clone()))
        .collect();
    assert_eq!(answers.len(), readmes.len() * 2);

    let found = |number: usize, caller: &str| -> Vec<String> {
        let results = answers[&format!("{number} {caller}")].as_array().expect("results").iter();
        results.map(|result| result["path"].as_str().expect("a path").to_owned()).collect()
    };
    let mut first_ten = 0;
    for (number, (path, limited, _)) in readmes.iter().enumerate() {
        first_ten += usize::from(found(number, LIMITED).contains(path));
        let others = found(number, OTHER);
        assert!(!others.iter().any(|path| path.starts_with("limited/")), "{OTHER} finds {others:?}");
        assert!(!limited || !others.contains(path));
    }
    println!("{first_ten} of {} are among the first ten of one who may read them", readmes.len());
    assert!(first_ten * 10 >= readmes.len() * 9, "{first_ten} of {} were found by their own words", readmes.len());
}

fn first_words(text: &str) -> String {
    let line =
        text.lines().map(str::trim).find(|line| line.len() > 60 && line.starts_with(|c: char| c.is_alphabetic()));
    line.unwrap_or_default().split_whitespace().take(14).collect::<Vec<_>>().join(" ")
}
