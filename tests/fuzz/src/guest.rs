//! A guest that does what its script says: host calls in any order, with any arguments, over memory that the script wrote.
//! It is compiled once; the script comes as the connection's account, two letters a byte, so that every export has it.
//!
//! The script's first byte says which export runs it (see [`crate::host`]); then come operations, each a byte and its
//! operands. An operand is a byte that says what follows:
//!
//! | 0 | a byte | 1 | 16 bits | 2 | 32 bits | 3 | 16 bits: an address in the script |
//! | 4 | a byte: that word of the last result | 5 | 16 bits: an address in the scratch memory |
//! | 6 | nothing: where results go | 7 | a byte: that word of the scratch memory |

use std::fmt::Write as _;

use sallyport_pack::describe;
use sallyport_pack::sealed::{self, Sealed};
use serde_json::json;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::connector::MANIFEST;

/// Where the script lies, where host calls leave their results, what is the script's own, and where the host's lists go.
const SCRIPT: u32 = 0x10000;
const RESULT: u32 = 0x8000;
const SCRATCH: u32 = 0x20000;
const HEAP: u32 = 0x40000;
/// A longer script is cut.
const LONGEST: u32 = 0x8000;

/// Interface, function, how many `i32`s it takes, and whether it gives something that is to be dropped.
const IMPORTS: [(&str, &str, usize, bool); 15] = [
    ("http", "send", 14, false),
    ("http", "send-all", 3, false),
    ("clock", "now", 0, true),
    ("random", "bytes", 2, false),
    ("log", "write", 5, false),
    ("documents", "emit", 3, false),
    ("documents", "checkpoint", 3, false),
    ("documents", "revisions", 3, false),
    ("credentials", "get", 1, false),
    ("blobs", "open", 3, false),
    ("blobs", "create", 5, false),
    ("blobs", "[method]blob.size", 2, false),
    ("blobs", "[method]blob.media-type", 2, false),
    ("blobs", "[method]blob.read", 3, false),
    ("blobs", "[resource-drop]blob", 1, false),
];

/// The operations beyond [`IMPORTS`], by their number after those: store a word, grow the memory, go back, give that
/// address as the export's result, answer `cabi_realloc` with something else, trap, keep the last result, spin.
const OTHERS: [&str; 8] = [
    "(i32.store (i32.and (call $operand) (i32.const 0x7fffc)) (call $operand))",
    "(drop (memory.grow (call $operand)))",
    "(global.set $jumps (i32.add (global.get $jumps) (i32.const 1)))
     (if (i32.lt_u (global.get $jumps) (i32.const 64)) (then
       (global.set $at (i32.add (global.get $start) (i32.rem_u (call $operand)
         (i32.add (i32.const 1) (i32.sub (global.get $end) (global.get $start))))))))",
    "(global.set $given (call $operand)) (global.set $at (global.get $end))",
    "(global.set $bend (call $operand))",
    "unreachable",
    "(memory.copy (i32.add (i32.const SCRATCH) (i32.and (call $operand) (i32.const 0xff00))) (i32.const RESULT) (i32.const 0x100))",
    "(if (i32.eq (call $u32) (i32.const 0x6e697073)) (then (loop (br 0))))",
];

/// The guest as a connector file, under the seal of our manifest.
pub fn connector() -> Vec<u8> {
    let schema = json!({
        "type": "object",
        "properties": { "list": { "type": "string" }, "name": { "type": "string" } },
    });
    let describe_one = |tool: &sallyport_pack::manifest::Tool| json!({ "name": tool.name, "title": "A tool", "description": "For tests.", "input": schema, "output": { "type": "object" } });
    let tools: Vec<_> = MANIFEST.tools.iter().map(describe_one).collect();
    let tools = describe::read(&json!(tools).to_string(), &MANIFEST).expect("descriptions");
    sealed::seal(&component(), &Sealed { manifest: MANIFEST.clone(), tools, packer: "fuzz".into() }).expect("a seal")
}

/// A script as the guest takes it.
pub fn letters(script: &[u8]) -> String {
    let letter = |nibble: u8| char::from(b'a' + nibble);
    script.iter().flat_map(|byte| [letter(byte >> 4), letter(byte & 15)]).collect()
}

fn component() -> Vec<u8> {
    let mut module = wat::parse_str(module()).expect("our own text");
    let mut resolve = Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit");
    let (package, _) = resolve.push_dir(wit).expect("the WIT package");
    let world = resolve.select_world(&[package], Some("connector")).expect("the world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).expect("metadata");
    ComponentEncoder::default().module(&module).expect("a module").validate(true).encode().expect("a component")
}

fn module() -> String {
    let mut imports = String::new();
    let mut operations = String::new();
    let mut operation = |number: usize, what: &str| {
        let _ = writeln!(operations, "(if (i32.eq (local.get $op) (i32.const {number})) (then {what} (return)))");
    };
    for (number, (interface, name, takes, gives)) in IMPORTS.into_iter().enumerate() {
        let params = "(param i32) ".repeat(takes);
        let result = if gives { "(result i64)" } else { "" };
        let _ = writeln!(
            imports,
            "(import \"sallyport:connector/{interface}@0.1.0\" \"{name}\" (func $import{number} {params}{result}))"
        );
        let call = format!("(call $import{number} {})", "(call $operand) ".repeat(takes));
        operation(number, &if gives { format!("(drop {call})") } else { call });
    }
    for (number, what) in OTHERS.into_iter().enumerate() {
        operation(IMPORTS.len() + number, what);
    }
    let facts = IMPORTS.iter().position(|(interface, ..)| *interface == "credentials").expect("it is imported");
    let all = IMPORTS.len() + OTHERS.len();
    let text = format!(
        r#"(module
  {imports}
  (memory (export "memory") 8)
  (global $heap (mut i32) (i32.const HEAP))
  (global $start (mut i32) (i32.const SCRIPT))
  (global $at (mut i32) (i32.const SCRIPT))
  (global $end (mut i32) (i32.const SCRIPT))
  (global $given (mut i32) (i32.const 0))
  (global $bend (mut i32) (i32.const 0))
  (global $jumps (mut i32) (i32.const 0))
  (data (i32.const 0x1000) "acc_1Ann[]allEverything{{\22ok\22:true}}")
  ;; identify: ok {{ id: "acc_1", name: "Ann" }}
  (data (i32.const 0x2000) "\00\00\00\00\00\00\00\00\00\10\00\00\05\00\00\00\05\10\00\00\03\00\00\00")
  ;; describe: "[]"
  (data (i32.const 0x2040) "\08\10\00\00\02\00\00\00")
  ;; invoke: ok {{ json: {{"ok":true}} }}
  (data (i32.const 0x2080) "\00\00\00\00\00\00\00\00\17\10\00\00\0b\00\00\00")
  ;; streams: ok [{{ id: "all", name: "Everything" }}]
  (data (i32.const 0x20c0) "\00\00\00\00\00\00\00\00\e0\20\00\00\01\00\00\00")
  (data (i32.const 0x20e0) "\0a\10\00\00\03\00\00\00\0d\10\00\00\0a\00\00\00")
  ;; Never checked: where the host's lists go is the host's to look after.
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $room i32)
    (local.set $room (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $room) (local.get 3)))
    (i32.add (local.get $room) (global.get $bend)))
  (func $u8 (result i32)
    (if (i32.ge_u (global.get $at) (global.get $end)) (then (return (i32.const 0))))
    (i32.load8_u (global.get $at))
    (global.set $at (i32.add (global.get $at) (i32.const 1))))
  (func $u16 (result i32) (i32.or (call $u8) (i32.shl (call $u8) (i32.const 8))))
  (func $u32 (result i32) (i32.or (call $u16) (i32.shl (call $u16) (i32.const 16))))
  (func $operand (result i32) (local $kind i32)
    (local.set $kind (i32.and (call $u8) (i32.const 7)))
    (if (i32.eq (local.get $kind) (i32.const 0)) (then (return (call $u8))))
    (if (i32.eq (local.get $kind) (i32.const 1)) (then (return (call $u16))))
    (if (i32.eq (local.get $kind) (i32.const 2)) (then (return (call $u32))))
    (if (i32.eq (local.get $kind) (i32.const 3)) (then (return (i32.add (i32.const SCRIPT) (call $u16)))))
    (if (i32.eq (local.get $kind) (i32.const 4))
      (then (return (i32.load (i32.add (i32.const RESULT) (i32.shl (call $u8) (i32.const 2)))))))
    (if (i32.eq (local.get $kind) (i32.const 5)) (then (return (i32.add (i32.const SCRATCH) (call $u16)))))
    (if (i32.eq (local.get $kind) (i32.const 6)) (then (return (i32.const RESULT))))
    (i32.load (i32.add (i32.const SCRATCH) (i32.shl (call $u8) (i32.const 2)))))
  (func $operation (local $op i32)
    (global.set $heap (i32.const HEAP))
    (local.set $op (i32.rem_u (call $u8) (i32.const {all})))
    {operations})
  ;; Takes the script from the connection's facts.
  (func $begin (local $from i32) (local $to i32)
    (call $import{facts} (i32.const RESULT))
    (local.set $from (i32.load (i32.const RESULT)))
    (local.set $to (i32.shr_u (i32.load offset=4 (i32.const RESULT)) (i32.const 1)))
    (if (i32.gt_u (local.get $to) (i32.const LONGEST)) (then (local.set $to (i32.const LONGEST))))
    (global.set $end (i32.add (i32.const SCRIPT) (local.get $to)))
    (local.set $to (i32.const SCRIPT))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $to) (global.get $end)))
      (i32.store8 (local.get $to) (i32.or
        (i32.shl (i32.sub (i32.load8_u (local.get $from)) (i32.const 97)) (i32.const 4))
        (i32.sub (i32.load8_u offset=1 (local.get $from)) (i32.const 97))))
      (local.set $from (i32.add (local.get $from) (i32.const 2)))
      (local.set $to (i32.add (local.get $to) (i32.const 1)))
      (br $next)))
    (memory.fill (i32.const RESULT) (i32.const 0) (i32.const 0x100)))
  ;; Runs the script if its first byte names one of these exports; gives what it says, or else the honest answer.
  (func $play (param $exports i32) (param $honest i32) (result i32)
    (call $begin)
    (if (i32.and (local.get $exports) (i32.shl (i32.const 1) (i32.rem_u (call $u8) (i32.const MODES)))) (then
      (global.set $start (global.get $at))
      (block $done (loop $next
        (br_if $done (i32.ge_u (global.get $at) (global.get $end)))
        (call $operation)
        (br $next)))))
    (select (global.get $given) (local.get $honest) (global.get $given)))
  (func (export "sallyport:connector/tools@0.1.0#invoke") (param i32 i32 i32 i32) (result i32)
    (call $play (i32.const 0x3) (i32.const 0x2080)))
  (func (export "sallyport:connector/tools@0.1.0#describe") (result i32) (i32.const 0x2040))
  (func (export "sallyport:connector/sync@0.1.0#pull") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (call $play (i32.const 0x4) (i32.const 0x2180)))
  (func (export "sallyport:connector/sync@0.1.0#streams") (result i32)
    (call $play (i32.const 0x8) (i32.const 0x20c0)))
  (func (export "sallyport:connector/account@0.1.0#identify") (result i32)
    (call $play (i32.const 0x10) (i32.const 0x2000)))
  ;; All are gone.
  (func (export "sallyport:connector/sync@0.1.0#probe") (param i32 i32) (result i32)
    (memory.fill (i32.const SCRATCH) (i32.const 1) (local.get 1))
    (i32.store offset=8 (i32.const RESULT) (i32.const SCRATCH))
    (i32.store offset=12 (i32.const RESULT) (local.get 1))
    (i32.const RESULT)))"#
    );
    let constants =
        [("SCRIPT", SCRIPT), ("RESULT", RESULT), ("SCRATCH", SCRATCH), ("HEAP", HEAP), ("LONGEST", LONGEST)];
    let text = text.replace("MODES", &crate::host::MODES.to_string());
    constants.into_iter().fold(text, |text, (name, value)| text.replace(name, &value.to_string()))
}
