//! Over and over in the same data directories, at any moment.
//!
//! `SALLYPORT_RUNS` says how often (1,000). What a run does follows from the seed of its directory, which a failure
//! names: `SALLYPORT_SEED` begins with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sallyport::connection::Setting;
use sallyport_e2e::block_on;
use sallyport_index::{Hit, Index, Mode};
use serde_json::{Value, json};

use crate::indexed::{Survivor, found, kept, sync};
use crate::mortal::host::{Ahead, Given, Place, serve, tenant};
use crate::mortal::{End, Fate, Moment, Task};
use crate::{CLAIM, set};

/// Runs in one data directory: each finds what all before it left.
const IN_A_ROW: usize = 50;
/// Notes on a page of the listing.
const PAGE: usize = 4;
/// Who may read something.
const PEOPLE: [&str; 3] = ["ada@acme.example", "bo@acme.example", "cy@acme.example"];

/// A note as the service has it.
#[derive(Clone)]
struct Note {
    title: String,
    text: String,
    /// A word of the text that is in no other note, nor in this one before it was written anew.
    word: String,
    /// Grows with each change of anything.
    changed: u64,
    readers: BTreeSet<String>,
}

impl Note {
    fn told(&self, id: &str) -> Value {
        json!({
            "id": id,
            "title": self.title,
            "text": self.text,
            "etag": self.changed.to_string(),
            "updated": instant(self.changed),
            "readers": self.readers,
        })
    }
}

/// So many seconds after the beginning of the year.
fn instant(changed: u64) -> String {
    let (day, rest) = (changed / 86_400 + 1, changed % 86_400);
    format!("2026-01-{day:02}T{:02}:{:02}:{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}

/// What the source has.
#[derive(Clone, Default)]
struct Notes {
    all: BTreeMap<String, Note>,
    changes: u64,
    /// Words that were in a note before the last change and are in none now.
    gone: Vec<String>,
}

impl Notes {
    /// A few changes: added, deleted, read by others, written anew.
    fn change(&mut self, random: &mut StdRng) {
        self.gone.clear();
        for _ in 0..random.random_range(1..4) {
            self.changes += 1;
            let ids: Vec<String> = self.all.keys().cloned().collect();
            let kind = random.random_range(0..4);
            if ids.len() < 3 || kind == 0 && ids.len() < 12 {
                let id = format!("n{}", self.changes);
                self.write(&id, readers(random));
                continue;
            }
            let id = &ids[random.random_range(0..ids.len())];
            match kind {
                1 => self.gone.extend(self.all.remove(id).map(|note| note.word)),
                2 => {
                    let (changed, readers) = (self.changes, readers(random));
                    if let Some(note) = self.all.get_mut(id) {
                        (note.changed, note.readers) = (changed, readers);
                    }
                }
                _ => {
                    let before = self.all.remove(id);
                    let readers = before.as_ref().map_or_else(BTreeSet::new, |note| note.readers.clone());
                    self.gone.extend(before.map(|note| note.word));
                    self.write(id, readers);
                }
            }
        }
    }

    fn write(&mut self, id: &str, readers: BTreeSet<String>) {
        let word = format!("word{}", self.changes);
        let text = format!("This note is about {word} and about nothing else.");
        let note = Note { title: format!("Note {id}"), text, word, changed: self.changes, readers };
        self.all.insert(id.to_owned(), note);
    }
}

/// One of them, or more.
fn readers(random: &mut StdRng) -> BTreeSet<String> {
    let chosen: u32 = random.random_range(1..8);
    let is_chosen = |(place, _): &(usize, &&str)| chosen >> place & 1 == 1;
    PEOPLE.iter().enumerate().filter(is_chosen).map(|(_, who)| (*who).to_owned()).collect()
}

/// The example connector's service.
#[derive(Clone, Default)]
struct Source(Arc<Mutex<Notes>>);

impl Source {
    async fn start(&self) -> String {
        let me = || async { Json(json!({ "id": "u1", "name": "Ada", "email": PEOPLE[0] })) };
        let router = Router::new()
            .route("/v1/me", get(me))
            .route("/v1/notes", get(listing))
            .route("/v1/notes/{id}", get(one))
            .with_state(self.clone());
        serve(router).await
    }

    fn notes(&self) -> Notes {
        self.0.lock().expect("no panic").clone()
    }
}

async fn listing(State(source): State<Source>, Query(asked): Query<HashMap<String, String>>) -> Json<Value> {
    let since = asked.get("since").cloned().unwrap_or_default();
    let page: usize = asked.get("page").map_or(0, |page| page.parse().expect("a page that was given"));
    let notes = source.notes();
    let new = notes.all.iter().filter(|(_, note)| instant(note.changed) > since);
    let new: Vec<Value> = new.map(|(id, note)| note.told(id)).collect();
    let next = ((page + 1) * PAGE < new.len()).then(|| (page + 1).to_string());
    let listed: Vec<Value> = new.into_iter().skip(page * PAGE).take(PAGE).collect();
    Json(json!({ "notes": listed, "next": next }))
}

async fn one(State(source): State<Source>, Path(id): Path<String>) -> Result<Json<Value>, StatusCode> {
    source.notes().all.get(&id).map(|note| Json(note.told(&id))).ok_or(StatusCode::NOT_FOUND)
}

#[test]
fn killed_at_any_moment_of_a_sync_the_documents_and_the_index_end_up_equal_to_the_source() {
    let runs = usize::try_from(set("SALLYPORT_RUNS", 1_000)).expect("that many");
    let first = set("SALLYPORT_SEED", rand::random::<u32>().into());
    block_on(async {
        let source = Source::default();
        let url = source.start().await;
        let given = Given::new(&url, Setting::Auto).await;
        let mut ends = BTreeMap::new();
        for (seed, from) in (first..).zip((0..runs).step_by(IN_A_ROW)) {
            directory(&given, &url, &source, seed, IN_A_ROW.min(runs - from), &mut ends).await;
        }
        println!("{runs} syncs, the first seed was {first}; how they ended:");
        for (end, count) in &ends {
            println!("{count:6} {end}");
        }
        let lived = ends.get("lived").copied().unwrap_or_default();
        assert!(runs < 20 || lived * 2 < runs, "{lived} of {runs} were not killed");
    });
}

/// So many syncs of one data directory after each other.
async fn directory(
    given: &Given,
    url: &str,
    source: &Source,
    seed: u64,
    runs: usize,
    ends: &mut BTreeMap<String, usize>,
) {
    let mut random = StdRng::seed_from_u64(seed);
    let (_folder, place) = given.copy(url);
    let clock = Ahead::default();
    *source.0.lock().expect("no panic") = Notes::default();
    let mut survivor = Some(Survivor::new(&place, &clock).await);
    // About as many steps as a sync has.
    let mut reach = 40;
    for run in 0..runs {
        source.0.lock().expect("no panic").change(&mut random);
        let moment = match random.random_range(0..3) {
            0 => Moment::Before,
            1 => Moment::During(random.random_range(0..5_000)),
            _ => Moment::After,
        };
        let end = End { step: random.random_range(1..=reach), of: None, moment };
        // Now and then nobody else has the directory open: then the next one finds a log that nobody has read.
        if random.random_range(0..4) == 0 {
            survivor = None;
        }
        let with = json!({ "sweep": random.random_range(0..2) == 0 });
        let ahead = clock.0.load(Ordering::SeqCst);
        let task = Task { name: "sync", place: &place, ahead, end: Some(end), room: None, with };
        let fate = match task.start().fate().await {
            Fate::Lived(steps) => {
                // Where the moment came too late it was the last step; else there are fewer than was thought.
                let count = steps.lines().count();
                reach = if count > 0 { count + 2 } else { reach };
                "lived".to_owned()
            }
            Fate::Killed(words) if words.contains('\n') => "killed after its end".to_owned(),
            Fate::Killed(words) => format!("killed {words}"),
        };
        *ends.entry(fate.split(" (step").next().unwrap_or_default().to_owned()).or_default() += 1;

        let said = format!("seed {seed}, run {run}, {fate}");
        clock.0.fetch_add(CLAIM, Ordering::SeqCst);
        let living = match survivor.take() {
            Some(living) => living,
            None => Survivor::new(&place, &clock).await,
        };
        living.open.runtime.recover(&tenant()).await.unwrap_or_else(|error| panic!("{said}: {error}"));
        sync(&living.open, &living.index, &place, true, &said).await;
        equal(&living.index, &place, &source.notes(), &said).await;
        survivor = Some(living);
    }
}

/// Holds documents and index to the source.
async fn equal(index: &Index, place: &Place, notes: &Notes, said: &str) {
    let wanted: BTreeMap<String, (String, String)> =
        notes.all.iter().map(|(id, note)| (id.clone(), (note.title.clone(), note.text.clone()))).collect();
    assert_eq!(kept(place), wanted, "{said}: the documents");

    for who in PEOPLE {
        let readable = notes.all.iter().filter(|(_, note)| note.readers.contains(who));
        let readable: BTreeMap<&str, (&str, &str, &BTreeSet<String>)> = readable
            .map(|(id, note)| (id.as_str(), (note.title.as_str(), note.text.as_str(), &note.readers)))
            .collect();
        let hits = found(index, who, "note", Mode::Dense, said).await;
        let answered: BTreeMap<&str, (&str, &str, &BTreeSet<String>)> = hits
            .iter()
            .map(|Hit { chunk, .. }| {
                let document = &chunk.document;
                (document.id.as_str(), (document.title.as_str(), chunk.text.as_str(), &chunk.label.readers.people))
            })
            .collect();
        assert_eq!(answered, readable, "{said}: what {who} finds by meaning");
    }
    // Each word by one of the people, who may read it or may not.
    for ((id, note), who) in notes.all.iter().zip(PEOPLE.iter().cycle()) {
        let hits = found(index, who, &note.word, Mode::Lexical, said).await;
        let ids: Vec<&str> = hits.iter().map(|hit| hit.chunk.document.id.as_str()).collect();
        let wanted = note.readers.contains(*who).then_some(id.as_str());
        assert_eq!(ids, Vec::from_iter(wanted), "{said}: what {who} finds by {}", note.word);
    }
    for word in &notes.gone {
        let hits = found(index, PEOPLE[0], word, Mode::Lexical, said).await;
        assert!(hits.is_empty(), "{said}: {word} is in no note any more: {hits:?}");
    }
}
