//! Which granted tool a command means: its verb against the tool's verb, its object against the tool's nouns.

use std::collections::BTreeSet;

use sallyport::tool::{OfferedTool, ToolEffect};

use super::request::{Command, Piece, Request};
use super::words::{name_words, noun, nouns, stem, words};

/// Verbs that mean the same to a person who asks for something to be done.
const ALIKE: &[&[&str]] = &[
    &[
        "create", "make", "add", "new", "set up", "start", "build", "generate", "prepare", "put", "draft", "open",
        "write", "insert", "produce", "compose",
    ],
    &["archive", "close", "shelve"],
    &["delete", "remove", "trash", "erase", "drop", "discard"],
    &["update", "change", "edit", "modify", "set", "correct", "rename"],
    &["move", "transfer", "relocate"],
    &["comment", "reply", "respond"],
    &["send", "post", "publish", "announce", "message", "write", "notify"],
    &["share", "invite"],
    &["search", "find", "query", "look up"],
    &["complete", "finish", "resolve"],
    &["upload", "attach"],
    &["assign"],
    &["schedule", "book"],
];
/// Verbs that ask to be told something; they mean a tool only if its own verb is the same.
const TELLING: &[&str] = &[
    "summarise",
    "summarize",
    "list",
    "show",
    "tell",
    "find",
    "explain",
    "describe",
    "give",
    "search",
    "look up",
    "read",
    "compare",
    "quote",
    "say",
    "remind",
];

/// What a request comes to.
#[derive(Debug)]
pub(super) enum Choice<'a> {
    /// This tool, for this command.
    Tool(&'a OfferedTool, Command),
    /// Several fit as well as each other.
    Unclear(Vec<&'a OfferedTool>),
    /// It commands something that no granted tool does.
    Nothing,
    /// It asks to be told something.
    Question,
}

/// Chooses, or abstains.
pub(super) fn choose<'a>(request: &Request, tools: &'a [OfferedTool]) -> Choice<'a> {
    if request.is_question() {
        return Choice::Question;
    }
    let commands = request.commands(|word| tools.iter().any(|tool| verb_fit(word, &Signature::of(tool)).is_some()));
    let mut rated: Vec<(f32, &OfferedTool, &Command)> = Vec::new();
    for command in &commands {
        for tool in tools {
            if let Some(score) = fit(request, command, tool) {
                rated.push((score, tool, command));
            }
        }
        // The first command that some tool can do is the one that is done.
        if !rated.is_empty() {
            break;
        }
    }
    rated.sort_by(|a, b| b.0.total_cmp(&a.0));
    let Some((best, tool, command)) = rated.first() else {
        let does = |command: &Command| ALIKE.iter().any(|verbs| verbs.contains(&command.verb.as_str()));
        let tells = |command: &Command| TELLING.contains(&command.verb.as_str());
        return match commands.iter().any(|command| does(command) && !tells(command)) {
            true => Choice::Nothing,
            false => Choice::Question,
        };
    };
    let close: Vec<_> = rated.iter().take_while(|(score, ..)| best - score < 0.5).map(|(_, tool, _)| *tool).collect();
    if close.len() > 1 { Choice::Unclear(close) } else { Choice::Tool(tool, (*command).clone()) }
}

/// A tool's name as verb and nouns.
struct Signature {
    verb: String,
    nouns: Vec<String>,
}

impl Signature {
    fn of(tool: &OfferedTool) -> Self {
        let mut named = name_words(tool.tool.as_str());
        let known = |word: &String| ALIKE.iter().any(|verbs| verbs.contains(&word.as_str()));
        let at = named.iter().position(known).unwrap_or(0);
        let verb = if named.is_empty() { String::new() } else { named.remove(at) };
        let mut rest: Vec<String> = named.iter().map(|word| noun(word)).collect();
        if rest.is_empty() {
            rest = nouns(&tool.title).into_iter().filter(|word| stem(word) != stem(&verb)).collect();
        }
        Self { verb, nouns: rest }
    }
}

/// How well a verb fits a tool's: the same, one that is alike, or one that is the tool's object ("comment on …").
fn verb_fit(verb: &str, signature: &Signature) -> Option<f32> {
    if stem(verb) == stem(&signature.verb) {
        return Some(2.0);
    }
    if signature.nouns.iter().any(|noun| stem(noun) == stem(verb)) {
        return Some(1.75);
    }
    let alike = |verbs: &&&[&str]| verbs.contains(&verb) && verbs.contains(&signature.verb.as_str());
    ALIKE.iter().find(alike).map(|_| 1.5)
}

/// How well a command fits a tool; `None` if it should not be taken for it.
fn fit(request: &Request, command: &Command, tool: &OfferedTool) -> Option<f32> {
    let signature = Signature::of(tool);
    let verb = verb_fit(&command.verb, &signature)?;
    let service = service_words(tool);
    let mut object = request.nouns(command.object.clone());
    let in_object = object.iter().any(|word| service.contains(word));
    object.retain(|word| !service.contains(word) || signature.nouns.contains(word));
    let quoted = request.pieces[command.object.clone()].iter().any(|piece| matches!(piece, Piece::Quote { .. }));
    let is_object = |word: &String| signature.nouns.contains(word);
    let told = nouns(&format!("{} {}", tool.title, first_sentence(&tool.description)));
    let mut score = verb
        + match object.last() {
            Some(head) if is_object(head) => 3.0,
            _ if object.iter().any(is_object) => 2.0,
            _ if signature.nouns.iter().any(|noun| stem(noun) == stem(&command.verb)) => 2.0,
            Some(head) if told.contains(head) => 1.0,
            None if quoted => 1.0,
            _ => return None,
        };
    let said: BTreeSet<String> = words(&request.text).iter().map(|word| noun(&word.lower)).collect();
    score -= 0.25 * signature.nouns.iter().filter(|noun| !said.contains(*noun)).count() as f32;
    if in_object {
        score += 1.5;
    } else if service.iter().any(|word| said.contains(word)) {
        score += 1.0;
    }
    let least = if tool.effect == ToolEffect::Destructive { 3.25 } else { 3.0 };
    (score >= least || quoted && object.is_empty() && verb >= 2.0).then_some(score)
}

/// The words by which people call a tool's service or connection.
pub(super) fn service_words(tool: &OfferedTool) -> BTreeSet<String> {
    let names = name_words(tool.connector.as_str()).into_iter().map(|word| noun(&word));
    names.chain(nouns(&tool.connection_name)).collect()
}

/// A tool's own nouns, in the singular: what it makes or changes.
pub(super) fn tool_nouns(tool: &OfferedTool) -> Vec<String> {
    Signature::of(tool).nouns
}

fn first_sentence(text: &str) -> &str {
    text.split(['.', '\n']).next().unwrap_or_default()
}
