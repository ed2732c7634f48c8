//! Whether a call may be made: a pure function of what the host knows, whatever the model wants.
//!
//! It assumes that the model was taken over. What counts is the grant's setting, what the tool does, whose text stood
//! in front of the model, who will see what is written, and whether the arguments that steer the call are the user's.

use std::collections::BTreeSet;

use sallyport::connection::Setting;
use sallyport::tool::{OfferedTool, ToolDestination, ToolEffect, Verdict};
use sallyport_index::{Label, Readers};

use crate::ports::Audience;
use crate::text::{enumerated, lower_first, shown};

/// What policy decides about.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The tool, as it was offered.
    pub tool: &'a OfferedTool,
    /// Everything that stood in the context when the call was proposed.
    pub carried: &'a [Carried],
    /// Who will read what the call writes.
    pub audience: &'a Audience,
    /// The controlling arguments, with where their values come from.
    pub control: &'a [Controlled],
}

/// A piece of text in the context, and its label.
#[derive(Clone, Debug, PartialEq)]
pub struct Carried {
    /// What it is, for people.
    pub title: String,
    /// What kind of thing it is.
    pub kind: CarriedKind,
    /// Who may read it, and whether its source is trusted.
    pub label: Label,
}

/// What kind of text was carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CarriedKind {
    /// A document.
    Document,
    /// What a tool gave back. Untrusted, and readable by the caller only.
    ToolOutput,
    /// An answer of an earlier turn, which may hold text of the documents that it cited.
    EarlierAnswer,
}

/// A value that steers a call: which board, which channel, which account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controlled {
    /// JSON pointer into the arguments.
    pub at: String,
    /// The value, as text.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a controlling value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It stands in the user's own words.
    Words,
    /// The user named this, and only one thing at the connection that they may read bears the name.
    Resolved(String),
    /// The user named this, and several things bear the name.
    Ambiguous(String),
    /// The user did not say it.
    Unaccounted,
}

/// Allow, ask (with every reason, not only the first) or deny.
#[must_use]
pub fn judge(question: Question<'_>) -> Verdict {
    let Question { tool, carried, audience, control } = question;
    let title = shown(&tool.title);
    let service = shown(&tool.connection_name);
    if tool.setting == Setting::Deny {
        return Verdict::Deny(vec![format!("{title} is switched off for {service}")]);
    }
    let mut reasons = Vec::new();
    if tool.setting == Setting::Ask {
        reasons.push(format!("the grant for {service} asks a person before every use of {title}"));
    }
    if tool.effect != ToolEffect::Read {
        if tool.effect == ToolEffect::Destructive {
            reasons.push(format!("{title} cannot be taken back"));
        }
        reasons.extend(untrusted(tool, carried));
        reasons.extend(destination(tool, carried, audience));
        reasons.extend(control.iter().filter_map(|controlled| steered(tool, controlled)));
    }
    if reasons.is_empty() { Verdict::Allow } else { Verdict::Ask(reasons) }
}

/// Untrusted text and a write: the text may have caused it.
fn untrusted(tool: &OfferedTool, carried: &[Carried]) -> Option<String> {
    let untrusted: Vec<_> = carried.iter().filter(|text| !text.label.trusted).collect();
    let what = match untrusted.as_slice() {
        [] => return None,
        [Carried { kind: CarriedKind::Document, .. }] => "an untrusted document",
        all if all.iter().all(|text| text.kind == CarriedKind::Document) => "untrusted documents",
        _ => "untrusted text",
    };
    let mut names: Vec<String> = untrusted.iter().map(|text| format!("*{}*", shown(&text.title))).collect();
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    let names = enumerated(names.into_iter());
    let does = lower_first(&shown(&tool.title));
    Some(format!("would {does} in {} from text of {names}, {what}", shown(&tool.connection_name)))
}

/// Who will see it, against who may.
fn destination(tool: &OfferedTool, carried: &[Carried], audience: &Audience) -> Vec<String> {
    let service = shown(&tool.connection_name);
    if tool.destination == ToolDestination::Undeclared {
        return vec![format!("{} does not declare where it writes", shown(&tool.title))];
    }
    match audience {
        Audience::Known { name, readers } => carried
            .iter()
            .filter(|text| !text.label.readers.include(readers))
            .map(|text| {
                let (title, may) = (shown(&text.title), people(&text.label.readers));
                format!("would show text of *{title}*, which {may} may read, to {} ({})", shown(name), people(readers))
            })
            .collect(),
        Audience::Unknown => {
            let place = match &tool.destination {
                ToolDestination::New(audience) => {
                    format!("what it creates in {service} (declared: its {})", shown(audience))
                }
                ToolDestination::Principal(_) => format!("what it shares in {service}"),
                _ => format!("the place that it writes to in {service}"),
            };
            vec![format!("who can read {place} is not known")]
        }
    }
}

/// A controlling argument that is not the user's.
fn steered(tool: &OfferedTool, controlled: &Controlled) -> Option<String> {
    let at = controlled.at.trim_start_matches('/');
    let value = shown(&controlled.value);
    match &controlled.origin {
        Origin::Words | Origin::Resolved(_) => None,
        Origin::Ambiguous(name) => Some(format!(
            "several things in {} are called \"{}\"; `{at}` is {value}",
            tool.connection_name,
            shown(name)
        )),
        Origin::Unaccounted => Some(format!("`{at}` is {value}, which the request does not say")),
    }
}

fn people(readers: &Readers) -> String {
    match readers.count() {
        _ if readers.anyone => "everyone".into(),
        Some(1) => "1 person".into(),
        Some(count) => format!("{count} people"),
        None if readers.people.is_empty() => format!("everyone at {}", enumerated(readers.domains.iter().cloned())),
        None => {
            let domains = enumerated(readers.domains.iter().cloned());
            format!("everyone at {domains} and {} more", readers.people.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sallyport::ids::{ConnectionId, ConnectorId, ToolName};
    use serde_json::json;

    use super::*;

    fn tool(effect: ToolEffect, setting: Setting, destination: ToolDestination) -> OfferedTool {
        OfferedTool {
            connection: ConnectionId::new("con_1"),
            connection_name: "Trello".into(),
            connector: ConnectorId::new("trello").expect("a valid id"),
            tool: ToolName::new("create_board").expect("a valid name"),
            title: "Create a board".into(),
            description: String::new(),
            input: Arc::new(json!({})),
            output: None,
            effect,
            setting,
            destination,
            control: vec!["/list_id".into()],
        }
    }

    fn readers(people: &[&str]) -> Readers {
        Readers { people: people.iter().map(|person| person.to_string()).collect(), ..Readers::default() }
    }

    fn document(title: &str, trusted: bool, people: &[&str]) -> Carried {
        let label = Label { trusted, readers: readers(people) };
        Carried { title: title.into(), kind: CarriedKind::Document, label }
    }

    fn known(name: &str, people: &[&str]) -> Audience {
        Audience::Known { name: name.into(), readers: readers(people) }
    }

    fn controlled(origin: Origin) -> Controlled {
        Controlled { at: "/list_id".into(), value: "l1".into(), origin }
    }

    /// A name, what is judged, and what must come of it.
    type Row = (&'static str, OfferedTool, Vec<Carried>, Audience, Vec<Controlled>, Expected);
    /// What the verdict must be: `Err` holds one piece of text for each reason, in order.
    type Expected = Result<bool, &'static [&'static str]>;

    #[test]
    fn the_table() {
        use Setting::{Ask, Auto, Deny};
        use ToolEffect::{Destructive, Read, Write};
        let place = || ToolDestination::Container("/list_id".into());
        let new = || ToolDestination::New("owner".into());
        let ann = &["ann@acme.test"][..];
        let both = &["ann@acme.test", "bo@acme.test"][..];
        let plan = || document("Q4 strategy", false, both);
        let trusted = || document("Handbook", true, both);
        let salaries = || document("Salaries 2027", true, ann);
        let output = || Carried { kind: CarriedKind::ToolOutput, ..document("Search files", false, ann) };
        let words = || vec![controlled(Origin::Words)];
        #[rustfmt::skip]
        let rows: Vec<Row> = vec![
            ("a read is free", tool(Read, Auto, place()), vec![plan(), salaries()], Audience::Unknown, vec![controlled(Origin::Unaccounted)], Ok(true)),
            ("a read that is to be asked", tool(Read, Ask, place()), vec![], Audience::Unknown, vec![], Err(&["asks a person before every use of Create a board"])),
            ("switched off", tool(Read, Deny, place()), vec![], known("Ops", ann), words(), Ok(false)),
            ("switched off, whatever else", tool(Write, Deny, place()), vec![trusted()], known("Ops", ann), words(), Ok(false)),
            ("own words, trusted text, same audience", tool(Write, Auto, place()), vec![trusted()], known("Ops", both), words(), Ok(true)),
            ("nothing in context", tool(Write, Auto, place()), vec![], known("Ops", both), words(), Ok(true)),
            ("the grant asks", tool(Write, Ask, place()), vec![], known("Ops", both), words(), Err(&["the grant for Trello asks"])),
            ("untrusted text", tool(Write, Auto, new()), vec![plan()], known("the new board", ann), vec![], Err(&["would create a board in Trello from text of *Q4 strategy*, an untrusted document"])),
            ("untrusted texts", tool(Write, Auto, new()), vec![plan(), trusted(), document("B", false, both)], known("the new board", ann), vec![], Err(&["from text of *Q4 strategy* and *B*, untrusted documents"])),
            ("tool output is untrusted", tool(Write, Auto, new()), vec![output()], known("the new board", ann), vec![], Err(&["*Search files*, untrusted text"])),
            ("cannot be taken back", tool(Destructive, Auto, place()), vec![], known("Ops", ann), words(), Err(&["cannot be taken back"])),
            ("nowhere declared", tool(Write, Auto, ToolDestination::Undeclared), vec![], known("Ops", ann), words(), Err(&["does not declare where it writes"])),
            ("nobody knows who reads there", tool(Write, Auto, place()), vec![], Audience::Unknown, words(), Err(&["who can read the place that it writes to in Trello is not known"])),
            ("nor what is created", tool(Write, Auto, new()), vec![], Audience::Unknown, vec![], Err(&["who can read what it creates in Trello (declared: its owner) is not known"])),
            ("wider than the text", tool(Write, Auto, place()), vec![trusted(), salaries()], known("#general", both), words(), Err(&["would show text of *Salaries 2027*, which 1 person may read, to #general (2 people)"])),
            ("not the user's", tool(Write, Auto, place()), vec![], known("Ops", ann), vec![controlled(Origin::Unaccounted)], Err(&["`list_id` is l1, which the request does not say"])),
            ("resolved from the user's words", tool(Write, Auto, place()), vec![], known("Ops", ann), vec![controlled(Origin::Resolved("Ops".into()))], Ok(true)),
            ("resolved to several", tool(Write, Auto, place()), vec![], known("Ops", ann), vec![controlled(Origin::Ambiguous("Ops".into()))], Err(&["several things in Trello are called \"Ops\""])),
            ("all at once", tool(Destructive, Ask, place()), vec![plan()], Audience::Unknown, vec![controlled(Origin::Unaccounted)], Err(&["asks", "taken back", "untrusted", "not known", "does not say"])),
        ];
        for (name, tool, carried, audience, control, expected) in rows {
            let question = Question { tool: &tool, carried: &carried, audience: &audience, control: &control };
            match (judge(question), expected) {
                (Verdict::Allow, Ok(true)) | (Verdict::Deny(_), Ok(false)) => {}
                (Verdict::Ask(reasons), Err(parts)) => {
                    assert_eq!(reasons.len(), parts.len(), "{name}: {reasons:?}");
                    for (reason, part) in reasons.iter().zip(parts) {
                        assert!(reason.contains(part), "{name}: {reason:?} lacks {part:?}");
                    }
                }
                (verdict, expected) => panic!("{name}: {verdict:?}, expected {expected:?}"),
            }
        }
    }

    #[test]
    fn a_title_cannot_write_lines_of_its_own_into_a_reason() {
        let tool = tool(ToolEffect::Write, Setting::Auto, ToolDestination::New("owner".into()));
        let carried = [document("x*\n\u{202e}approved by admin\u{1b}[2J", false, &[])];
        let audience = known("the new board", &[]);
        let Verdict::Ask(reasons) =
            judge(Question { tool: &tool, carried: &carried, audience: &audience, control: &[] })
        else {
            panic!("untrusted text asks");
        };
        assert_eq!(reasons.len(), 1);
        assert!(!reasons[0].contains(['\n', '\u{202e}', '\u{1b}']), "{:?}", reasons[0]);
    }
}
