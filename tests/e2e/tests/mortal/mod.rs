//! Processes that are killed at a chosen step: this test program again, over the real store, whose ports count.
//!
//! A test starts its own program with a [`Task`] in the environment; there the test `child` finds it ([`told`]) and
//! does it. In any other run `child` has nothing to do.

pub(crate) mod host;
mod ports;

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;

use host::{Ahead, Place};

const TASK: &str = "SALLYPORT_CRASH_TASK";
/// Longer than any task takes. One that hangs has to fail the test and not to hold it up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where a process ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    /// At which call of a port, from 1.
    pub(crate) step: usize,
    /// Of which port's method; of any, where it is none.
    pub(crate) of: Option<&'static str>,
    /// When exactly.
    pub(crate) moment: Moment,
}

/// On which side of the call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    /// Nothing of it has happened.
    Before,
    /// So many microseconds after it began, wherever the process is then.
    During(u64),
    /// All of it has happened, and nobody was told.
    After,
}

impl End {
    fn told(self) -> Value {
        let (moment, micros) = match self.moment {
            Moment::Before => ("before", 0),
            Moment::During(micros) => ("during", micros),
            Moment::After => ("after", 0),
        };
        json!({ "step": self.step, "of": self.of, "moment": moment, "micros": micros })
    }

    fn of(told: &Value) -> Option<Self> {
        let step = usize::try_from(told["step"].as_u64()?).ok()?;
        let moment = match told["moment"].as_str()? {
            "before" => Moment::Before,
            "during" => Moment::During(told["micros"].as_u64()?),
            _ => Moment::After,
        };
        // As long as the process, which ends here.
        let of = told["of"].as_str().map(|of| &*of.to_owned().leak());
        Some(Self { step, of, moment })
    }
}

/// What a process of its own is to do.
pub(crate) struct Task<'a> {
    /// By which the test's `child` knows it.
    pub(crate) name: &'a str,
    /// Over which data directory.
    pub(crate) place: &'a Place,
    /// How far its clock is ahead, in milliseconds.
    pub(crate) ahead: u64,
    /// Where it ends, unless it lives.
    pub(crate) end: Option<End>,
    /// The most bytes that a file of its may grow to: beyond, a write fails as on a full disk.
    pub(crate) room: Option<u64>,
    /// What else it has to know.
    pub(crate) with: Value,
}

/// A process at its task.
pub(crate) struct Child {
    process: tokio::process::Child,
    words: PathBuf,
}

/// How a process ended, with its last words.
pub(crate) enum Fate {
    /// By itself. What it said is its result.
    Lived(String),
    /// By SIGKILL. What it said is where it was; nothing, if somebody else killed it.
    Killed(String),
}

impl Task<'_> {
    /// Starts this program again, for this task alone.
    pub(crate) fn start(self) -> Child {
        let words = self.place.folder.join("words");
        // Those of an earlier task are not this one's; mostly there are none.
        let _ = std::fs::remove_file(&words);
        let told = json!({
            "name": self.name,
            "place": self.place.told(),
            "ahead": self.ahead,
            "end": self.end.map(End::told),
            "words": words.to_str().expect("UTF-8"),
            "with": self.with,
        });
        let program = std::env::current_exe().expect("a test has a path");
        let mut command = match self.room {
            None => Command::new(program),
            Some(bytes) => {
                let mut shell = Command::new("sh");
                // `ulimit` counts blocks of 512 bytes (POSIX). With its signal ignored, a write beyond is an error.
                let script = "trap '' XFSZ && ulimit -f \"$0\" && exec \"$@\"";
                shell.args(["-c", script, &(bytes / 512).to_string()]).arg(program);
                shell
            }
        };
        command.args(["child", "--exact", "--nocapture", "--test-threads=1"]).env(TASK, told.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        Child { process: command.spawn().expect("the program starts"), words }
    }
}

impl Child {
    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id().expect("nobody has waited for it")
    }

    /// Waits until it has ended.
    pub(crate) async fn fate(mut self) -> Fate {
        let id = self.id();
        let ended = tokio::time::timeout(PATIENCE, self.process.wait()).await.expect("it ends");
        let ended = ended.expect("its end is known");
        let words = std::fs::read_to_string(&self.words).unwrap_or_default();
        match ended.signal() {
            Some(libc::SIGKILL) => Fate::Killed(words),
            _ if ended.success() => Fate::Lived(words),
            _ => panic!("process {id} of the test failed ({ended}): {words}"),
        }
    }
}

/// A task as the process that has it finds it.
pub(crate) struct Told {
    /// Which.
    pub(crate) name: String,
    /// Over which data directory.
    pub(crate) place: Place,
    /// What time it is there.
    pub(crate) clock: Ahead,
    /// Its steps, of which one may be its last.
    pub(crate) steps: Arc<Steps>,
    /// What else it was told.
    pub(crate) with: Value,
}

/// The task of this process; none where it is the test program itself.
pub(crate) fn told() -> Option<Told> {
    let told = std::env::var(TASK).ok()?;
    let told: Value = serde_json::from_str(&told).expect("a task in JSON");
    let steps = Steps {
        made: AtomicUsize::new(0),
        names: Mutex::default(),
        part: Mutex::default(),
        end: End::of(&told["end"]),
        words: PathBuf::from(told["words"].as_str().expect("a path")),
    };
    Some(Told {
        name: told["name"].as_str().expect("a name").to_owned(),
        place: Place::of(&told["place"]),
        clock: Ahead::by(told["ahead"].as_u64().expect("milliseconds")),
        steps: Arc::new(steps),
        with: told["with"].clone(),
    })
}

/// The calls of ports that this process has made, in order.
pub(crate) struct Steps {
    made: AtomicUsize,
    names: Mutex<Vec<String>>,
    part: Mutex<String>,
    end: Option<End>,
    words: PathBuf,
}

impl Steps {
    /// Names what the following steps belong to.
    pub(crate) fn part(&self, name: &str) {
        *self.part.lock().expect("no panic") = name.to_owned();
    }

    /// Makes a step, unless the process ends before it, in it or after it.
    pub(crate) async fn around<T>(&self, port: &'static str, work: impl Future<Output = T>) -> T {
        let step = self.made.fetch_add(1, Ordering::SeqCst) + 1;
        let name = format!("{} {port} (step {step})", self.part.lock().expect("no panic"));
        // The how manieth call of this method it is.
        let own = {
            let mut names = self.names.lock().expect("no panic");
            names.push(name.clone());
            names.iter().filter(|name| name.contains(port)).count()
        };
        let reached = |end: &End| match end.of {
            Some(of) => of == port && end.step == own,
            None => end.step == step,
        };
        let moment = self.end.filter(reached).map(|end| end.moment);
        match moment {
            Some(Moment::Before) => self.die(&format!("before {name}")),
            Some(Moment::During(micros)) => {
                self.say(&format!("during {name}"));
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_micros(micros));
                    kill(std::process::id());
                });
            }
            _ => {}
        }
        let result = work.await;
        if let Some(Moment::After) = moment {
            self.die(&format!("after {name}"));
        }
        result
    }

    /// The names of all steps so far, a line each.
    pub(crate) fn names(&self) -> String {
        self.names.lock().expect("no panic").join("\n")
    }

    /// Leaves words for whoever started this process.
    pub(crate) fn say(&self, words: &str) {
        std::fs::write(&self.words, words).expect("words can be left");
    }

    fn die(&self, words: &str) -> ! {
        self.say(words);
        kill(std::process::id());
        loop {
            std::thread::park();
        }
    }
}

/// Ends a process at once: nothing of it runs any more, nothing is flushed or given back.
pub(crate) fn kill(process: u32) {
    let process = libc::pid_t::try_from(process).expect("a process id");
    // SAFETY: `kill` touches no memory of this process; what it is told are numbers.
    #[allow(unsafe_code)]
    let refused = unsafe { libc::kill(process, libc::SIGKILL) };
    assert_eq!(refused, 0, "the process is there to be killed");
}
