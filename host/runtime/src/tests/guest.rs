//! Guests for tests: a list of steps becomes core WebAssembly, and that a component. The memory image is laid out here by
//! the canonical ABI's rules; nothing is compiled from a language.

use std::fmt::Write as _;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Where constants begin in memory.
const DATA: u32 = 0x1000;
/// Where composed text is put: URLs, then bodies and results.
const URL: u32 = 0x20000;
const BODY: u32 = 0x24000;
/// Where host calls leave their results.
const RET: u32 = 0x30000;
/// Where the host's lists go.
const HEAP: u32 = 0x40000;

/// A piece of text, put together when the guest runs.
#[derive(Clone)]
pub(super) enum Part {
    Text(String),
    /// The tool's arguments, as JSON.
    Arguments,
    /// The body of the last answer.
    LastBody,
    /// The code of the last refusal.
    ErrorCode,
    /// Its words.
    ErrorMessage,
}

pub(super) fn text(text: &str) -> Vec<Part> {
    vec![Part::Text(text.into())]
}

/// What a guest does, one thing after the other.
#[derive(Clone)]
pub(super) enum Step {
    Send {
        method: &'static str,
        url: Vec<Part>,
        body: Vec<Part>,
    },
    SendAll(Vec<&'static str>),
    Now,
    Random(u32),
    Log(&'static str),
    Emit(Vec<Change>),
    Checkpoint(&'static str),
    /// A tool's result.
    Return(Vec<Part>),
    Spin,
    Recurse,
    Grow(u32),
    Trap,
}

/// A change that a pull emits.
#[derive(Clone)]
pub(super) enum Change {
    Upsert { id: String, revision: &'static str, text: String, unknown_access: bool },
    Seen(Vec<String>),
    Delete(&'static str),
}

/// How a pull ends.
#[derive(Clone, Copy)]
pub(super) enum Ending {
    Whole,
    Partial,
    More,
    Wait(u64),
}

#[derive(Clone)]
pub(super) struct Guest {
    pub(super) account: &'static str,
    pub(super) tool: Vec<Step>,
    pub(super) pull: Vec<Step>,
    pub(super) ending: Ending,
    /// 0 present, 1 gone, 2 in doubt: said of everything that `probe` is asked about.
    pub(super) presence: u8,
}

impl Default for Guest {
    fn default() -> Self {
        Self { account: "acc_1", tool: Vec::new(), pull: Vec::new(), ending: Ending::Whole, presence: 0 }
    }
}

impl Guest {
    pub(super) fn tool(steps: Vec<Step>) -> Self {
        Self { tool: steps, ..Self::default() }
    }

    pub(super) fn pull(steps: Vec<Step>, ending: Ending) -> Self {
        Self { pull: steps, ending, ..Self::default() }
    }

    /// The component, without a manifest.
    pub(super) fn component(&self) -> Vec<u8> {
        let mut image = Image::default();
        componentize(&self.wat(&mut image))
    }

    fn wat(&self, image: &mut Image) -> String {
        let mut tool = String::new();
        let mut pull = String::new();
        self.tool.iter().for_each(|step| step.wat(image, &mut tool));
        self.pull.iter().for_each(|step| step.wat(image, &mut pull));
        let identity = {
            let (id, name) = (image.text(self.account), image.text("Ann"));
            image.words(&[0, 0, id.0, id.1, name.0, name.1, 0, 0, 0, 0, 0, 0], 8)
        };
        let streams = {
            let (id, name) = (image.text("all"), image.text("Everything"));
            let list = image.words(&[id.0, id.1, name.0, name.1], 4);
            image.words(&[0, 0, list, 1, 0, 0, 0, 0], 8)
        };
        let outcome = match self.ending {
            Ending::Whole => image.words(&[0, 0, 0, 0, 0, 0, 0, 0], 8),
            Ending::Partial => image.words(&[0, 0, 0, 0, 1, 0, 0, 0], 8),
            Ending::More => image.words(&[0, 0, 1, 0, 0, 0, 0, 0], 8),
            Ending::Wait(millis) => image.words(&[0, 0, 2, 0, millis as u32, (millis >> 32) as u32, 0, 0], 8),
        };
        let described = image.text("[]");
        let described = image.words(&[described.0, described.1], 4);
        let presence = self.presence;
        let data = image.wat();
        format!(
            r#"(module
  (import "sallyport:connector/http@0.1.0" "send"
    (func $send (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "sallyport:connector/http@0.1.0" "send-all" (func $send_all (param i32 i32 i32)))
  (import "sallyport:connector/clock@0.1.0" "now" (func $now (result i64)))
  (import "sallyport:connector/random@0.1.0" "bytes" (func $random (param i32 i32)))
  (import "sallyport:connector/log@0.1.0" "write" (func $log (param i32 i32 i32 i32 i32)))
  (import "sallyport:connector/documents@0.1.0" "emit" (func $emit (param i32 i32 i32)))
  (import "sallyport:connector/documents@0.1.0" "checkpoint" (func $checkpoint (param i32 i32 i32)))
  (memory (export "memory") 128)
  (global $heap (mut i32) (i32.const {HEAP}))
  (global $arguments (mut i32) (i32.const 0))
  (global $arguments_len (mut i32) (i32.const 0))
  (global $last (mut i32) (i32.const 0))
  (global $last_len (mut i32) (i32.const 0))
  (global $url_len (mut i32) (i32.const 0))
  (global $body_len (mut i32) (i32.const 0))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $at) (local.get 3)))
    (if (i32.gt_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536))) (then unreachable))
    (local.get $at))
  (func $url (param $from i32) (param $len i32)
    (memory.copy (i32.add (i32.const {URL}) (global.get $url_len)) (local.get $from) (local.get $len))
    (global.set $url_len (i32.add (global.get $url_len) (local.get $len))))
  (func $body (param $from i32) (param $len i32)
    (memory.copy (i32.add (i32.const {BODY}) (global.get $body_len)) (local.get $from) (local.get $len))
    (global.set $body_len (i32.add (global.get $body_len) (local.get $len))))
  (func $answered
    (global.set $last (i32.const 0)) (global.set $last_len (i32.const 0))
    (if (i32.and (i32.eqz (i32.load8_u (i32.const {RET}))) (i32.eq (i32.load8_u offset=20 (i32.const {RET})) (i32.const 1)))
      (then
        (global.set $last (i32.load offset=24 (i32.const {RET})))
        (global.set $last_len (i32.load offset=28 (i32.const {RET}))))))
  (func $recurse (call $recurse))
  (func (export "sallyport:connector/account@0.1.0#identify") (result i32) (i32.const {identity}))
  (func (export "sallyport:connector/tools@0.1.0#describe") (result i32) (i32.const {described}))
  (func (export "sallyport:connector/tools@0.1.0#invoke") (param i32 i32 i32 i32) (result i32)
    (global.set $arguments (local.get 2)) (global.set $arguments_len (local.get 3))
    {tool}
    (i32.store8 (i32.const {RET}) (i32.const 0))
    (i32.store offset=8 (i32.const {RET}) (i32.const {BODY}))
    (i32.store offset=12 (i32.const {RET}) (global.get $body_len))
    (i32.store offset=16 (i32.const {RET}) (i32.const 0))
    (i32.store offset=20 (i32.const {RET}) (i32.const 0))
    (i32.const {RET}))
  (func (export "sallyport:connector/sync@0.1.0#streams") (result i32) (i32.const {streams}))
  (func (export "sallyport:connector/sync@0.1.0#pull") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    {pull}
    (i32.const {outcome}))
  (func (export "sallyport:connector/sync@0.1.0#probe") (param i32 i32) (result i32)
    (memory.fill (i32.const {BODY}) (i32.const {presence}) (local.get 1))
    (i32.store8 (i32.const {RET}) (i32.const 0))
    (i32.store offset=8 (i32.const {RET}) (i32.const {BODY}))
    (i32.store offset=12 (i32.const {RET}) (local.get 1))
    (i32.const {RET}))
  {data})"#
        )
    }
}

/// A core module as a component of the world `connector`.
pub(super) fn componentize(wat: &str) -> Vec<u8> {
    let mut module = wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}\n{wat}"));
    let mut resolve = Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit");
    let (package, _) = resolve.push_dir(wit).expect("the WIT package");
    let world = resolve.select_world(&[package], Some("connector")).expect("the world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).expect("metadata");
    ComponentEncoder::default().module(&module).expect("a module").validate(true).encode().expect("a component")
}

impl Step {
    fn wat(&self, image: &mut Image, out: &mut String) {
        match self {
            Self::Send { method, url, body } => {
                compose(image, url, "url", out);
                compose(image, body, "body", out);
                let method = image.text(method);
                let (name, json) = (image.text("content-type"), image.text("application/json"));
                let headers = image.words(&[name.0, name.1, json.0, json.1], 4);
                let (headers, kind) = if body.is_empty() { ((0, 0), 0) } else { ((headers, 1), 1) };
                let _ = writeln!(
                    out,
                    "(call $send (i32.const {}) (i32.const {}) (i32.const {URL}) (global.get $url_len) (i32.const {}) \
                     (i32.const {}) (i32.const {kind}) (i32.const {BODY}) (global.get $body_len) (i32.const 0) \
                     (i32.const 0) (i32.const 0) (i32.const 0) (i32.const {RET})) (call $answered)",
                    method.0, method.1, headers.0, headers.1
                );
            }
            Self::SendAll(urls) => {
                let method = image.text("GET");
                let mut words = Vec::new();
                for url in urls {
                    let url = image.text(url);
                    words.extend([method.0, method.1, url.0, url.1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
                }
                let list = image.words(&words, 4);
                let _ =
                    writeln!(out, "(call $send_all (i32.const {list}) (i32.const {}) (i32.const {RET}))", urls.len());
            }
            Self::Now => out.push_str("(drop (call $now))\n"),
            Self::Random(length) => {
                let _ = writeln!(out, "(call $random (i32.const {length}) (i32.const {RET}))");
            }
            Self::Log(message) => {
                let message = image.text(message);
                let _ = writeln!(
                    out,
                    "(call $log (i32.const 1) (i32.const {}) (i32.const {}) (i32.const 0) (i32.const 0))",
                    message.0, message.1
                );
            }
            Self::Emit(changes) => {
                let mut words = Vec::new();
                changes.iter().for_each(|change| change.words(image, &mut words));
                let list = image.words(&words, 8);
                let _ =
                    writeln!(out, "(call $emit (i32.const {list}) (i32.const {}) (i32.const {RET}))", changes.len());
            }
            Self::Checkpoint(cursor) => {
                let cursor = image.text(cursor);
                let _ = writeln!(
                    out,
                    "(call $checkpoint (i32.const {}) (i32.const {}) (i32.const {RET}))",
                    cursor.0, cursor.1
                );
            }
            Self::Return(parts) => compose(image, parts, "body", out),
            Self::Spin => out.push_str("(loop (br 0))\n"),
            Self::Recurse => out.push_str("(call $recurse)\n"),
            Self::Grow(pages) => {
                let _ =
                    writeln!(out, "(if (i32.eq (memory.grow (i32.const {pages})) (i32.const -1)) (then unreachable))");
            }
            Self::Trap => out.push_str("unreachable\n"),
        }
    }
}

fn compose(image: &mut Image, parts: &[Part], into: &str, out: &mut String) {
    let _ = writeln!(out, "(global.set ${into}_len (i32.const 0))");
    for part in parts {
        let _ = match part {
            Part::Text(text) => {
                let text = image.text(text);
                writeln!(out, "(call ${into} (i32.const {}) (i32.const {}))", text.0, text.1)
            }
            Part::Arguments => writeln!(out, "(call ${into} (global.get $arguments) (global.get $arguments_len))"),
            Part::LastBody => writeln!(out, "(call ${into} (global.get $last) (global.get $last_len))"),
            Part::ErrorCode => refused(out, into, 16),
            Part::ErrorMessage => refused(out, into, 24),
        };
    }
}

/// The text at that offset of `error.denied`, if that was the answer.
fn refused(out: &mut String, into: &str, at: u32) -> std::fmt::Result {
    writeln!(
        out,
        "(if (i32.and (i32.eq (i32.load8_u (i32.const {RET})) (i32.const 1)) (i32.eqz (i32.load8_u offset=8 (i32.const {RET})))) \
         (then (call ${into} (i32.load offset={at} (i32.const {RET})) (i32.load offset={} (i32.const {RET})))))",
        at + 4
    )
}

impl Change {
    /// 152 bytes: the case, then 144 for the largest one, a document.
    fn words(&self, image: &mut Image, words: &mut Vec<u32>) {
        let mut own = vec![0_u32; 38];
        let case = match self {
            Self::Upsert { id, revision, text, unknown_access } => {
                let (id, revision) = (image.text(id), image.text(revision));
                let (kind, title, text) = (image.text("page"), image.text("A page"), image.text(text));
                let metadata = image.text("{}");
                let entry = image.words(&[5, 0, 0, 0], 4);
                own[2..4].copy_from_slice(&[id.0, id.1]);
                own[4..7].copy_from_slice(&[1, revision.0, revision.1]);
                own[7..11].copy_from_slice(&[kind.0, kind.1, title.0, title.1]);
                own[11..14].copy_from_slice(&[1, text.0, text.1]);
                if *unknown_access {
                    own[31] = 1;
                } else {
                    own[31..36].copy_from_slice(&[0, entry, 1, 0, 0]);
                }
                own[36..38].copy_from_slice(&[metadata.0, metadata.1]);
                0
            }
            Self::Seen(ids) => {
                let ids: Vec<u32> = ids.iter().flat_map(|id| <[u32; 2]>::from(image.text(id))).collect();
                let list = image.words(&ids, 4);
                own[2..4].copy_from_slice(&[list, u32::try_from(ids.len() / 2).expect("few")]);
                2
            }
            Self::Delete(id) => {
                let id = image.text(id);
                own[2..4].copy_from_slice(&[id.0, id.1]);
                3
            }
        };
        own[0] = case;
        words.extend(own);
    }
}

/// Constants in memory.
#[derive(Default)]
struct Image(Vec<u8>);

impl Image {
    fn text(&mut self, text: &str) -> (u32, u32) {
        let at = DATA + u32::try_from(self.0.len()).expect("small");
        self.0.extend(text.as_bytes());
        assert!(self.0.len() < (URL - DATA) as usize, "too many constants");
        (at, u32::try_from(text.len()).expect("small"))
    }

    fn words(&mut self, words: &[u32], align: usize) -> u32 {
        while !(self.0.len() + DATA as usize).is_multiple_of(align) {
            self.0.push(0);
        }
        let at = DATA + u32::try_from(self.0.len()).expect("small");
        self.0.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        at
    }

    fn wat(&self) -> String {
        let mut data = format!("(data (i32.const {DATA}) \"");
        for byte in &self.0 {
            let _ = write!(data, "\\{byte:02x}");
        }
        data + "\")"
    }
}
