//! Requests that nobody wrote down beforehand, through the whole path: documents, names and tool are made up here, the
//! host is killed between proposal and approval, and what the simulated service then holds is compared.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use rand::RngExt as _;
use sallyport_e2e::succeeds;
use serde_json::Value;

/// Words that no seed and no rule of the planner knows.
fn invented(random: &mut impl rand::Rng) -> String {
    let syllables = ["ba", "do", "fi", "gu", "ka", "lo", "mi", "nu", "pe", "ra", "so", "tu", "ve", "zo"];
    let mut word: String = (0..3).map(|_| syllables[random.random_range(0..syllables.len())]).collect();
    word[..1].make_ascii_uppercase();
    word
}

fn names(random: &mut impl rand::Rng, count: usize) -> Vec<String> {
    let mut names = BTreeSet::new();
    while names.len() < count {
        names.insert(invented(random));
    }
    names.into_iter().collect()
}

/// Runs `demo --folder … --ask …` and gives what it reports.
fn asked(folder: &Path, data: &Path, request: &str, caller: &str) -> Value {
    println!("asking as {caller}: {request}");
    let (folder, data) = (folder.to_str().expect("UTF-8"), data.to_str().expect("UTF-8"));
    let arguments = ["--data", data, "--output", "json", "demo", "--folder", folder, "--ask", request, "--as", caller];
    let report = succeeds(&arguments).json();
    let steps: Vec<&str> =
        report["steps"].as_array().expect("steps").iter().filter_map(|s| s["name"].as_str()).collect();
    for step in ["nothing sent", "host stopped", "approve", "effect", "once"] {
        assert!(steps.contains(&step), "no step {step} in {steps:?}");
    }
    report
}

#[test]
fn a_board_for_any_team_of_any_document() {
    let mut random = rand::rng();
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().join("papers");
    std::fs::create_dir_all(&folder).expect("made");
    let words = names(&mut random, 24);
    let (title, teams) = (format!("{} plan", words[0]), &words[1..4]);
    let mut text = format!("# {title}\n\nWhat each team does next.\n");
    let mut tasks = Vec::new();
    for (index, team) in teams.iter().enumerate() {
        write!(text, "\n## {team}\n\n").expect("a string");
        for number in 0..3 {
            let task =
                format!("{} {} the {}", words[4 + index * 6 + number * 2], "checks", words[5 + index * 6 + number * 2]);
            writeln!(text, "- {task}").expect("a string");
            tasks.push((index, task));
        }
    }
    println!("{text}");
    std::fs::write(folder.join(format!("{title}.md")), text).expect("written");
    std::fs::write(folder.join("Other.md"), "# Other\n\n- Feed the cat\n- Water the plants\n").expect("written");

    let chosen = random.random_range(0..teams.len());
    let request = format!(
        "Based on the {title} doc in Google Drive, create a new Trello board with tasks for the {} team.",
        teams[chosen]
    );
    let report = asked(&folder, &dir.path().join("data"), &request, "ben@larkfield.example");
    assert_eq!(report["proposed"]["tool"], "create_board", "{report:#}");
    let made: BTreeSet<&str> = report["proposed"]["arguments"]["lists"]
        .as_array()
        .expect("lists")
        .iter()
        .flat_map(|list| list["cards"].as_array().into_iter().flatten())
        .filter_map(|card| card["name"].as_str())
        .collect();
    let wanted: BTreeSet<&str> =
        tasks.iter().filter(|(team, _)| *team == chosen).map(|(_, task)| task.as_str()).collect();
    assert_eq!(made, wanted, "the tasks of that team, and no other's");
    assert_eq!(report["cited"][0], format!("{title}.md"));
    // The board, its lists and its cards, each one write.
    assert!(report["writes"].as_u64().is_some_and(|writes| writes > 4), "{report:#}");
}

#[test]
fn a_card_a_list_or_a_document_with_any_name() {
    let mut random = rand::rng();
    let dir = tempfile::tempdir().expect("a folder");
    let words = names(&mut random, 6);
    let folder = dir.path().join("papers");
    let sub = format!("{} files", words[4]);
    std::fs::create_dir_all(folder.join(&sub)).expect("made");
    let text = format!("# {0}\n\nThe {0} keeps a {1} in the shed.\n", words[0], words[1]);
    std::fs::write(folder.join(&sub).join(format!("{}.md", words[0])), text).expect("written");

    let name = format!("{} {}", words[2], words[3]);
    let (tool, request, caller) = match random.random_range(0..2) {
        0 => (
            "create_card",
            format!("Create a card \"{name}\" in the list \"Ideas\" of the board \"Marketing: autumn\"."),
            "chiara@larkfield.example",
        ),
        _ => (
            "create_list",
            format!("Create a list \"{name}\" on the board \"Compass roadmap\"."),
            "emma@larkfield.example",
        ),
    };
    let report = asked(&folder, &dir.path().join("data"), &request, caller);
    assert_eq!(report["proposed"]["tool"], tool, "{report:#}");
    assert_eq!(report["proposed"]["arguments"]["name"], name.as_str());
    assert_eq!(report["writes"], 1);
}
