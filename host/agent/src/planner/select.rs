//! Which part of a document a request wants, brought to as many levels as a schema has.

use std::collections::BTreeSet;

use super::dates;
use super::outline::{Kind, LABEL, Node};
use super::words::{is_stop, noun, nouns, words};

/// What is looked for in a document.
#[derive(Clone, Debug, Default)]
pub(super) struct Aim {
    /// What the request says it is for, as written ("the marketing team").
    pub(super) phrase: Option<String>,
    /// The nouns of that phrase, generic ones left out. They must be found.
    pub(super) demand: BTreeSet<String>,
    /// Other nouns of the request that a heading may match.
    pub(super) hints: BTreeSet<String>,
    /// "one … per this".
    pub(super) unit: Option<String>,
    /// Whether things to do are wanted, so that goals and budgets are not.
    pub(super) tasks: bool,
}

/// The part of a document that was meant.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Its sections, or one section made of entries.
    pub(super) nodes: Vec<Node>,
    /// How the document calls it; `None` for the whole.
    pub(super) name: Option<String>,
}

/// Words that say what sort of a group it is, not which.
const GENERIC: &[&str] = &[
    "team",
    "department",
    "dept",
    "group",
    "people",
    "folk",
    "squad",
    "crew",
    "part",
    "section",
    "chapter",
    "plan",
    "task",
    "work",
    "workstream",
    "item",
    "everyone",
    "everybody",
    "all",
    "review",
    "doc",
    "document",
];
/// Headings over what is not to be done.
const NOT_TASKS: &[&str] = &[
    "goal",
    "objective",
    "metric",
    "kpi",
    "budget",
    "risk",
    "background",
    "context",
    "summary",
    "overview",
    "scope",
    "non-goal",
    "question",
    "reference",
    "appendix",
    "decision",
    "result",
    "assumption",
    "target",
    "principle",
    "lesson",
    "dependency",
    "measure",
    "measurement",
    "highlight",
    "attendee",
    "note",
    "faq",
    "glossary",
    "history",
    "learning",
    "number",
    "channel",
];
const TASKS: &[&str] = &[
    "task",
    "todo",
    "to-do",
    "action",
    "step",
    "deliverable",
    "milestone",
    "activity",
    "initiative",
    "work",
    "deadline",
];

/// Nouns without those that only say "group".
pub(super) fn particular(text: &str) -> BTreeSet<String> {
    let is_number = |word: &String| word.chars().all(|c| c.is_ascii_digit() || c == '.');
    nouns(text).into_iter().filter(|word| !GENERIC.contains(&word.as_str()) && !is_number(word)).collect()
}

/// Whether a noun stands for entries of any sort.
pub(super) fn means_entries(noun: &str) -> bool {
    TASKS.contains(&noun)
        || matches!(noun, "item" | "entry" | "point" | "row" | "bullet" | "card" | "ticket" | "issue" | "list")
}

/// Whether a noun stands for things to do.
pub(super) fn means_tasks(noun: &str) -> bool {
    TASKS.contains(&noun)
}

/// Finds the part. `Err` is the phrase that the document has nothing under.
pub(super) fn select(root: &Node, aim: &Aim) -> Result<Part, String> {
    if !aim.demand.is_empty() {
        let found =
            sections(root, &aim.demand, true).or_else(|| rows(root, &aim.demand)).or_else(|| tagged(root, &aim.demand));
        return found.ok_or_else(|| aim.phrase.clone().unwrap_or_default());
    }
    let hinted =
        (!aim.hints.is_empty()).then(|| sections(root, &aim.hints, false).or_else(|| rows(root, &aim.hints))).flatten();
    Ok(hinted.unwrap_or_else(|| Part { nodes: vec![root.clone()], name: None }))
}

/// How well a name fits: 0 is the very thing, 1 part of what is wanted, 2 the wanted with more beside it.
fn rank(name: &str, wanted: &BTreeSet<String>, wider: bool) -> Option<u8> {
    let name = particular(name);
    match () {
        () if name.is_empty() => None,
        () if name == *wanted => Some(0),
        () if name.is_subset(wanted) => Some(1),
        () if wider && wanted.is_subset(&name) => Some(2),
        () => None,
    }
}

/// Sections whose headings fit best, outermost ones only.
fn sections(root: &Node, wanted: &BTreeSet<String>, wider: bool) -> Option<Part> {
    fn collect<'a>(node: &'a Node, fits: &dyn Fn(&Node) -> bool, found: &mut Vec<(&'a Node, &'a Node)>) {
        for child in &node.children {
            if fits(child) { found.push((node, child)) } else { collect(child, fits, found) }
        }
    }
    // An item that only heads a list of its own ("- Marketing" over sub-items) is a section by another name.
    let heads = |node: &Node| matches!(node.kind, Kind::Section(_)) || node.kind == Kind::Item && node.text.is_empty();
    let useful = |node: &Node| heads(node) && node.holds_entries();
    let best = root.below().filter(|node| useful(node)).filter_map(|node| rank(&node.title, wanted, wider)).min()?;
    let mut found = Vec::new();
    collect(root, &|node| useful(node) && rank(&node.title, wanted, wider) == Some(best), &mut found);
    let name = found.first().map(|(_, node)| node.title.clone());
    let several = found.len() > 1;
    let nodes = found.into_iter().map(|(parent, node)| {
        let mut node = node.clone();
        // The same heading under several others: those others tell them apart.
        if several && !matches!(parent.kind, Kind::Whole) {
            node.title.clone_from(&parent.title);
        }
        node
    });
    Some(Part { nodes: nodes.collect(), name })
}

/// Rows of which one cell is what is wanted, in one section that bears their table's.
fn rows(root: &Node, wanted: &BTreeSet<String>) -> Option<Part> {
    let mut name = None;
    let mut nodes = Vec::new();
    for holder in std::iter::once(root).chain(root.below()) {
        let fits = |row: &&Node| row.kind == Kind::Row && row.fields.iter().any(|(_, cell)| is_theirs(cell, wanted));
        let fitting: Vec<Node> = holder.children.iter().filter(fits).filter_map(|row| entitled(row, wanted)).collect();
        if fitting.is_empty() {
            continue;
        }
        let cells = holder.children.iter().flat_map(|row| &row.fields);
        name = name.or_else(|| cells.map(|(_, cell)| cell).find(|cell| rank(cell, wanted, false) == Some(0)).cloned());
        nodes.push(holding(holder, fitting));
    }
    for node in nodes.iter_mut().filter(|node| node.kind == Kind::Whole) {
        node.title = name.clone().unwrap_or_else(|| node.title.clone());
    }
    (!nodes.is_empty()).then_some(Part { nodes, name })
}

/// A row with its title chosen; `None` where no cell says what it is.
fn entitled(row: &Node, wanted: &BTreeSet<String>) -> Option<Node> {
    const TITLES: &[&str] = &["name", "title", "what", "subject", "topic", "activity", "item", "project"];
    let says = |(_, cell): &&(String, String)| {
        let number = cell.chars().all(|c| c.is_ascii_digit() || " .,%$€£-–/".contains(c));
        !number && !is_theirs(cell, wanted) && dates::due(cell, Some(2000)).is_none()
    };
    let titled = |(head, _): &&(String, String)| {
        nouns(head).iter().any(|head| TITLES.contains(&head.as_str()) || means_tasks(head))
    };
    let speaking: Vec<_> = row.fields.iter().filter(says).collect();
    let (head, title) = speaking.iter().copied().find(|field| titled(field)).or(speaking.first().copied())?;
    let mut row = Node { title: title.clone(), ..row.clone() };
    let (head, wanted) = (head.clone(), wanted.clone());
    row.fields.retain(|(key, cell)| *key != head && (wanted.is_empty() || rank(cell, &wanted, false) != Some(0)));
    let line = |(key, cell): &(String, String)| if key.is_empty() { cell.clone() } else { format!("{key}: {cell}") };
    row.text = row.fields.iter().filter(|(_, cell)| !cell.is_empty()).map(line).collect::<Vec<_>>().join("\n");
    Some(row)
}

/// A node with other children.
fn holding(node: &Node, children: Vec<Node>) -> Node {
    let (title, text, whole) = (node.title.clone(), node.text.clone(), node.whole.clone());
    Node { kind: node.kind, title, text, whole, children, ..Node::default() }
}

/// Whether a cell, or one of several names in it, is what is wanted.
fn is_theirs(cell: &str, wanted: &BTreeSet<String>) -> bool {
    cell.split([',', ';', '/', '&']).any(|name| rank(name, wanted, false).is_some())
}

/// Items that say in brackets, after `@`, or as their lead whose they are.
fn tagged(root: &Node, wanted: &BTreeSet<String>) -> Option<Part> {
    let mut nodes = Vec::new();
    for holder in std::iter::once(root).chain(root.below()) {
        let mut entries = Vec::new();
        for item in holder.children.iter().filter(|child| child.kind == Kind::Item) {
            if rank(&item.title, wanted, false) == Some(0) && !item.text.is_empty() {
                let (title, text) = super::sentence::lead_of(&item.text, None);
                entries.push(Node { title, text, ..item.clone() });
            } else if tags(&item.whole).iter().any(|tag| is_theirs(tag, wanted))
                || item
                    .field(|key| {
                        matches!(key.to_lowercase().as_str(), "owner" | "team" | "who" | "responsible" | "assignee")
                    })
                    .is_some_and(|owner| rank(owner, wanted, true).is_some())
            {
                entries.push(item.clone());
            }
        }
        if !entries.is_empty() {
            nodes.push(holding(holder, entries));
        }
    }
    (!nodes.is_empty()).then_some(Part { nodes, name: None })
}

fn tags(text: &str) -> Vec<String> {
    let mut found: Vec<String> =
        words(text).into_iter().filter_map(|word| word.lower.strip_prefix('@').map(String::from)).collect();
    for (open, close) in [('(', ')'), ('[', ']')] {
        for (at, _) in text.match_indices(open) {
            if let Some(length) = text[at + 1..].find(close) {
                let inner = &text[at + 1..at + 1 + length];
                found
                    .extend(inner.split([',', ';']).map(|tag| tag.rsplit(':').next().unwrap_or(tag).trim().to_owned()));
            }
        }
    }
    found
}

/// The part as a forest of exactly `depth` levels of named nodes, the innermost being entries.
pub(super) fn forest(part: &Part, depth: usize, aim: &Aim) -> Vec<Node> {
    let mut grown: Vec<Node> = part.nodes.iter().flat_map(|node| grow(node, depth.max(1), aim)).collect();
    grown.retain(|node| !node.title.is_empty());
    grown
}

fn grow(node: &Node, depth: usize, aim: &Aim) -> Vec<Node> {
    let units = unit_nodes(node, aim);
    if depth == 1 {
        return if units.is_empty() { entries(node, aim) } else { units.into_iter().cloned().collect() };
    }
    if !units.is_empty() {
        return units.into_iter().map(|unit| group(unit, &unit.title, depth, aim)).collect();
    }
    let (mut groups, direct) = divided(node, aim);
    if groups.is_empty() {
        // Items that only head lists of their own are groups too.
        let heads =
            |item: &Node| item.text.is_empty() && item.children.len() > 1 && item.title.split_whitespace().count() <= 6;
        if !direct.is_empty() && direct.iter().all(|item| heads(item)) {
            return direct.into_iter().map(|item| group(item, &item.title, depth, aim)).collect();
        }
        let by = column(&direct);
        return match by {
            Some(by) => grouped(node, &direct, &by),
            None if direct.is_empty() => Vec::new(),
            None => vec![holding(node, rest_of(direct))],
        };
    }
    // One line over the only list says no more than the section's own heading.
    if let [only] = groups.as_slice()
        && only.kind == Kind::Section(LABEL)
        && direct.is_empty()
    {
        return vec![holding(node, group(only, &only.title, depth, aim).children)];
    }
    // Each in its place: what stands before the first sub-section comes first.
    groups.retain(|group| group.holds_entries());
    let mut out = Vec::new();
    if !direct.is_empty() {
        out.push(holding(node, rest_of(direct)));
    }
    out.extend(groups.into_iter().map(|child| group(child, &child.title, depth, aim)));
    out
}

fn group(node: &Node, title: &str, depth: usize, aim: &Aim) -> Node {
    let inner = Aim { unit: None, ..aim.clone() };
    let children = if depth <= 2 { entries(node, &inner) } else { grow(node, depth - 1, &inner) };
    Node { title: title.to_owned(), ..holding(node, children) }
}

/// Sub-sections that hold entries, and the entries that stand here directly.
fn divided<'a>(node: &'a Node, aim: &Aim) -> (Vec<&'a Node>, Vec<&'a Node>) {
    let direct = node.children.iter().filter(|child| child.is_entry()).collect();
    let groups: Vec<&Node> = node.children.iter().filter(|child| !child.is_entry() && child.holds_entries()).collect();
    (wanted_of(groups, aim), direct)
}

/// Of some sections, those over things to do, where such are wanted and told apart.
fn wanted_of<'a>(sections: Vec<&'a Node>, aim: &Aim) -> Vec<&'a Node> {
    if !aim.tasks {
        return sections;
    }
    let about = |node: &Node, list: &[&str]| nouns(&node.title).iter().any(|word| list.contains(&word.as_str()));
    let tasks: Vec<&Node> =
        sections.iter().copied().filter(|node| !about(node, NOT_TASKS) || about(node, TASKS)).collect();
    if tasks.is_empty() { sections } else { tasks }
}

/// Every entry at or below, outermost ones only; sections without any are entries themselves.
fn entries(node: &Node, aim: &Aim) -> Vec<Node> {
    let mut found = Vec::new();
    let sections: Vec<&Node> = node.children.iter().filter(|child| !child.is_entry()).collect();
    let wanted = wanted_of(sections.iter().copied().filter(|section| section.holds_entries()).collect(), aim);
    for child in &node.children {
        if child.is_entry() {
            found.extend(row_or(child));
        } else if wanted.iter().any(|section| std::ptr::eq(*section, child)) {
            found.extend(entries(child, aim));
        }
    }
    if found.is_empty() {
        found = sections.into_iter().filter(|section| !section.text.is_empty()).cloned().collect();
    }
    found
}

fn row_or(entry: &Node) -> Option<Node> {
    if entry.kind == Kind::Row && entry.title.is_empty() {
        entitled(entry, &BTreeSet::new())
    } else {
        Some(entry.clone())
    }
}

fn rest_of(entries: Vec<&Node>) -> Vec<Node> {
    entries.into_iter().filter_map(row_or).collect()
}

/// Sections that are the unit asked for: "Phase 2: rollout", or all sections under "Phases".
fn unit_nodes<'a>(node: &'a Node, aim: &Aim) -> Vec<&'a Node> {
    let Some(unit) = &aim.unit else { return Vec::new() };
    let is = |node: &Node| words(&node.title).iter().any(|word| !is_stop(&word.lower) && noun(&word.lower) == *unit);
    let mut named: Vec<&Node> = Vec::new();
    let mut left: Vec<&Node> = node.children.iter().rev().collect();
    while let Some(node) = left.pop() {
        if is(node) && (node.holds_entries() || !node.children.is_empty() || named.len() > 1) {
            named.push(node);
        } else {
            left.extend(node.children.iter().rev());
        }
    }
    match named.as_slice() {
        [over] if over.children.iter().any(|child| !child.is_entry()) => {
            over.children.iter().filter(|child| !child.is_entry()).collect()
        }
        [over] => over.children.iter().collect(),
        _ => named,
    }
}

/// The column by which rows are told apart as a board tells cards apart, if they have one.
fn column(rows: &[&Node]) -> Option<String> {
    const GROUPS: &[&str] =
        &["phase", "stage", "status", "list", "month", "milestone", "workstream", "quarter", "week", "sprint", "state"];
    let fields = rows.iter().flat_map(|row| &row.fields);
    let mut heads = fields.map(|(head, _)| head);
    heads.find(|head| nouns(head).iter().any(|head| GROUPS.contains(&head.as_str()))).cloned()
}

fn grouped(holder: &Node, rows: &[&Node], by: &str) -> Vec<Node> {
    let mut groups: Vec<Node> = Vec::new();
    for row in rows {
        let value = row.field(|key| key == by).unwrap_or(&holder.title).to_owned();
        let Some(mut entry) = row_or(row) else { continue };
        if entry.title == value {
            let rest = row.fields.iter().find(|(key, cell)| key != by && !cell.is_empty());
            entry.title = rest.map(|(_, cell)| cell.clone()).unwrap_or_default();
        }
        match groups.iter_mut().find(|group| group.title == value) {
            Some(group) => group.children.push(entry),
            None => groups.push(Node { title: value, children: vec![entry], ..Node::default() }),
        }
    }
    groups
}
