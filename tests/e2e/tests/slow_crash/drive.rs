//! A pull that makes several checkpoints, killed around each of them: what follows goes on from the last one, though the
//! source changes meanwhile, and fetches nothing again that was kept.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sallyport::connection::Setting;
use sallyport::credentials::NewSecret;
use sallyport::keys::Secret;
use sallyport_e2e::block_on;
use sallyport_index::{Index, Mode};
use sallyport_simulate::{CONNECTOR_ACCOUNT, Document, DriveChange, Grantee, Permission, Provider, Role};
use sallyport_simulate::{Seed, Service, Simulation};
use serde_json::{Value, json};

use crate::indexed::{Survivor, found, kept, sync};
use crate::mortal::host::{Account, Ahead, Given, Place};
use crate::mortal::{Child, End, Fate, Moment, Task};
use crate::{CLAIM, set};

/// More than a page of the connector's listing, which has 100.
const FILES: usize = 130;
/// What makes a checkpoint durable.
const COMMIT: &str = "Sink::commit";
/// Folders that they lie in, each with a reader of its own.
const FOLDERS: [(&str, &str); 3] =
    [("Harvest", "ada@acme.example"), ("Sales", "bo@acme.example"), ("Field", "cy@acme.example")];

fn text(word: &str) -> String {
    format!("This file is about {word} and about nothing else.")
}

/// Each file has a word that no other has.
fn seed() -> Seed {
    let mut seed = Seed::empty();
    for (folder, reader) in FOLDERS {
        let permission = Permission::new(Grantee::User(reader.to_owned()), Role::Reader);
        seed = seed.person(reader, reader).folder_access(folder, CONNECTOR_ACCOUNT, vec![permission]);
    }
    for number in 0..FILES {
        let (folder, _) = FOLDERS[number % FOLDERS.len()];
        let (path, text) = (format!("{folder}/File {number}.md"), text(&format!("word{number}")));
        seed = seed.document(Document::new(&path, CONNECTOR_ACCOUNT, &text));
    }
    seed
}

/// What the source has: name and text of each file, by its id.
fn files(simulation: &Simulation) -> BTreeMap<String, (String, String)> {
    let state = simulation.drive().state();
    let text = |file: &Value, name: &str| file[name].as_str().expect("text").to_owned();
    let files = state["files"].as_array().expect("files").iter();
    let files = files.filter(|file| file["content"].is_string() && file["trashed"] == false);
    files.map(|file| (text(file, "id"), (text(file, "name"), text(file, "content")))).collect()
}

/// A few changes; gives the files that are new or changed.
fn change(simulation: &Simulation, run: usize, random: &mut StdRng) -> BTreeSet<String> {
    let drive = simulation.drive();
    let mut touched = BTreeSet::new();
    for number in 0..random.random_range(3..7) {
        let ids: Vec<String> = files(simulation).into_keys().collect();
        let file = ids[random.random_range(0..ids.len())].clone();
        let (folder, reader) = FOLDERS[random.random_range(0..FOLDERS.len())];
        let (folder, grantee) = (folder.to_owned(), Grantee::User(reader.to_owned()));
        let word = format!("word{run}x{number}");
        let change = match random.random_range(0..6) {
            0 => DriveChange::AddFile {
                name: format!("File {word}.md"),
                owner: CONNECTOR_ACCOUNT.to_owned(),
                folder: Some(folder),
                content: text(&word),
                mime_type: None,
            },
            1 => DriveChange::Edit { file, content: text(&word) },
            2 => DriveChange::Move { file, folder },
            3 => DriveChange::Share { file, grantee, role: Role::Reader, discoverable: true },
            4 => DriveChange::Trash { file },
            _ => DriveChange::Rename { file, name: format!("Renamed {word}.md") },
        };
        touched.insert(drive.apply(change).expect("a change"));
    }
    touched
}

/// Files whose content was asked for since the log was cleared.
fn fetched(simulation: &Simulation) -> BTreeSet<String> {
    let requests = simulation.requests().to(Service::Drive).into_iter();
    let contents = requests.filter(|request| request.query.split('&').any(|one| one == "alt=media"));
    contents.map(|request| request.path.rsplit('/').next().unwrap_or_default().to_owned()).collect()
}

/// A Drive, and a data directory that is connected to it.
async fn connected() -> (Simulation, String, Given) {
    let simulation = Simulation::start(seed()).await.expect("simulated services");
    let url = simulation.urls().drive.trim_end_matches('/').to_owned();
    let tokens = simulation.token_for(Provider::Google, CONNECTOR_ACCOUNT, Duration::from_secs(100_000));
    let account = Account {
        folder: "plugins/google-drive",
        connector: "google-drive",
        origins: &["google-drive.api", "google-drive.admin"],
        auth: "oauth",
        secret: NewSecret {
            access: Secret::new(tokens.access_token),
            refresh: None,
            expires_in: None,
            scopes: tokens.scope.split(' ').map(Into::into).collect(),
        },
        granted: &[("files.read", Setting::Auto)],
    };
    let given = Given::of(&url, account).await;
    (simulation, url, given)
}

/// Starts a process that syncs.
fn start(place: &Place, ahead: u64, end: Option<End>, sweep: bool) -> Child {
    let with = json!({ "sweep": sweep });
    Task { name: "sync", place, ahead, end, room: None, with }.start()
}

#[test]
fn killed_between_the_checkpoints_of_a_pull_what_follows_goes_on_from_the_last_and_fetches_nothing_again() {
    let seed_of = set("SALLYPORT_SEED", rand::random::<u32>().into());
    block_on(async {
        let mut random = StdRng::seed_from_u64(seed_of);
        let (simulation, url, given) = connected().await;
        // One that lives says where the checkpoints are.
        let (_folder, place) = given.copy(&url);
        let Fate::Lived(steps) = start(&place, 0, None, false).fate().await else { panic!("nobody killed it") };
        assert_eq!(kept(&place), files(&simulation));
        let commits = steps.lines().filter(|line| line.contains(COMMIT)).count();
        assert!(commits > 4, "{commits} in {steps}");

        let (mut runs, mut between) = (0, 0);
        for (step, moment) in (1..=commits).flat_map(|step| (0..3).map(move |moment| (step, moment))) {
            let moment = match moment {
                0 => Moment::Before,
                1 => Moment::During(random.random_range(0..3_000)),
                _ => Moment::After,
            };
            let (_folder, place) = given.copy(&url);
            let fate = start(&place, 0, Some(End { step, of: Some(COMMIT), moment }), false).fate().await;
            let (Fate::Lived(words) | Fate::Killed(words)) = fate;
            let said = format!("seed {seed_of}, run {runs}, {words}");
            runs += 1;

            let (before, source) = (kept(&place), files(&simulation));
            assert!(before.iter().all(|(id, file)| source.get(id) == Some(file)), "{said}: what is kept is whole");

            let touched = change(&simulation, runs, &mut random);
            simulation.requests().clear();
            let living = Survivor::new(&place, &Ahead::by(CLAIM)).await;
            sync(&living.open, &living.index, &place, false, &said).await;
            equal(&living.index, &simulation, &place, &touched, &said).await;
            let again: Vec<String> = fetched(&simulation)
                .into_iter()
                .filter(|id| before.contains_key(id) && !touched.contains(id))
                .collect();
            assert!(again.is_empty(), "{said}: fetched again: {again:?}");
            // The connector asks for it before it lists anything, and never again while the stream has a cursor.
            let begun =
                simulation.requests().to(Service::Drive).iter().any(|one| one.path.ends_with("/startPageToken"));
            let is_part = !before.is_empty() && before.len() < source.len();
            assert!(!(is_part && begun), "{said}: it began from nothing");
            between += usize::from(is_part);
        }
        println!("{runs} pulls of {commits} checkpoints were killed, {between} of them with a part of the files kept");
        // After the first page of files, and before the second one.
        assert!(between >= 2, "{between} of {runs} were killed between two checkpoints of the files");
    });
}

#[test]
fn killed_before_what_a_sweep_missed_is_forgotten_it_is_forgotten_by_the_next_sync() {
    block_on(async {
        let (simulation, url, given) = connected().await;
        for (step, of) in [(1, "Sink::finish"), (1, "Sink::forget"), (2, "Sink::finish")] {
            for moment in [Moment::Before, Moment::After] {
                let (_folder, place) = given.copy(&url);
                let Fate::Lived(_) = start(&place, 0, None, false).fate().await else { panic!("nobody killed it") };
                let gone: Vec<String> = files(&simulation).into_keys().take(2).collect();
                for file in &gone {
                    simulation.drive().apply(DriveChange::Trash { file: file.clone() }).expect("trashed");
                }
                let end = End { step, of: Some(of), moment };
                let Fate::Killed(said) = start(&place, CLAIM, Some(end), true).fate().await else { panic!("{end:?}") };
                let forgotten =
                    (of, step) == ("Sink::finish", 2) || matches!((of, moment), ("Sink::forget", Moment::After));
                assert_eq!(kept(&place).len(), files(&simulation).len() + if forgotten { 0 } else { 2 }, "{said}");

                let living = Survivor::new(&place, &Ahead::by(2 * CLAIM)).await;
                sync(&living.open, &living.index, &place, false, &said).await;
                equal(&living.index, &simulation, &place, &BTreeSet::from_iter(gone), &said).await;
            }
        }
    });
}

/// Holds the documents to the source, and what people find of the files that changed and of a few that did not.
async fn equal(index: &Index, simulation: &Simulation, place: &Place, touched: &BTreeSet<String>, said: &str) {
    let (kept, wanted) = (kept(place), files(simulation));
    let other: Vec<_> = kept.keys().chain(wanted.keys()).filter(|id| kept.get(*id) != wanted.get(*id)).collect();
    let of = |id: &String| format!("{id}: {:?} is kept, {:?} at the source", kept.get(id), wanted.get(id));
    assert!(other.is_empty(), "{said}: {:?}", other.into_iter().map(of).collect::<Vec<_>>());
    let some = wanted.keys().step_by(20).chain(touched).filter_map(|id| Some((id, wanted.get(id)?)));
    for (id, (_, text)) in some {
        let word = text.split_whitespace().find(|word| word.starts_with("word")).expect("its word");
        let readers = simulation.drive().readers(id).expect("its readers");
        for (_, who) in FOLDERS {
            let hits = found(index, who, word, Mode::Lexical, said).await;
            let ids: Vec<&str> = hits.iter().map(|hit| hit.chunk.document.id.as_str()).collect();
            let may = readers.iter().any(|reader| reader == who).then_some(id.as_str());
            assert_eq!(ids, Vec::from_iter(may), "{said}: what {who} finds by {word}");
        }
    }
}
