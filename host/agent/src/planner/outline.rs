//! A document as a tree: sections, items, rows.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use sallyport::document::Content;

use super::layout::{marked_up, without_tags};
use super::sentence::{lead_of, sentences_of};

/// A part of a document that has a name: the whole, a section, a list item, a table row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    /// What it is.
    pub(super) kind: Kind,
    /// A heading, an item's lead, a row's first cell that says something.
    pub(super) title: String,
    /// What else stands in it, its children aside.
    pub(super) text: String,
    /// A row's cells by their column's heading; an item's `Key: value` sentences. [`Node::field`] finds sub-items too.
    pub(super) fields: Vec<(String, String)>,
    /// Ticked or not, for task list items.
    pub(super) checked: Option<bool>,
    /// Title and text as they stand in the document.
    pub(super) whole: String,
    /// What it holds, in order.
    pub(super) children: Vec<Node>,
}

/// What a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// The document.
    #[default]
    Whole,
    /// A section; smaller levels hold larger ones.
    Section(u8),
    /// An item of a list.
    Item,
    /// A row of a table.
    Row,
}

impl Node {
    /// Whether it is something to do or to list, not a section.
    pub(super) fn is_entry(&self) -> bool {
        matches!(self.kind, Kind::Item | Kind::Row)
    }

    /// Whether entries stand in it or below it.
    pub(super) fn holds_entries(&self) -> bool {
        self.children.iter().any(|child| child.is_entry() || child.holds_entries())
    }

    /// Every node below, outer ones first.
    pub(super) fn below(&self) -> impl Iterator<Item = &Node> {
        let mut left: Vec<&Node> = self.children.iter().rev().collect();
        std::iter::from_fn(move || {
            let node = left.pop()?;
            left.extend(node.children.iter().rev());
            Some(node)
        })
    }

    /// The value of a cell or of a `Key: value` sub-item whose key is one of `keys`.
    pub(super) fn field(&self, fits: impl Fn(&str) -> bool) -> Option<&str> {
        let cell = self.fields.iter().find(|(key, value)| fits(key) && !value.is_empty());
        let item = || self.children.iter().find(|child| fits(&child.title) && !child.text.is_empty());
        cell.map(|(_, value)| value.as_str()).or_else(|| item().map(|child| child.text.as_str()))
    }

    /// Text with everything below it, as Markdown.
    pub(super) fn body(&self) -> String {
        let mut lines = Vec::new();
        if !self.text.is_empty() {
            lines.push(self.text.clone());
        }
        for child in &self.children {
            child.listed(0, &mut lines);
        }
        lines.join("\n")
    }

    fn listed(&self, depth: usize, lines: &mut Vec<String>) {
        lines.push(format!("{}- {}", "  ".repeat(depth), self.whole));
        for child in &self.children {
            child.listed(depth + 1, lines);
        }
    }
}

/// The tree of a document. Its root bears the title; a single top heading that only repeats it is left out.
pub(super) fn outline(title: &str, content: &Content) -> Node {
    let mut root = match content {
        Content::None => Node::default(),
        Content::Markdown(text) => parsed(text),
        Content::Text(text) => parsed(&marked_up(text)),
        Content::Html(html) => parsed(&marked_up(&without_tags(html))),
    };
    if let [only] = root.children.as_mut_slice()
        && matches!(only.kind, Kind::Section(_))
        && only.children.iter().any(|child| matches!(child.kind, Kind::Section(_)))
    {
        let only = std::mem::take(only);
        root.text = [root.text, only.text].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n");
        root.children = only.children;
    }
    root.title = title.to_owned();
    root
}

fn parsed(text: &str) -> Node {
    let options = Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS | Options::ENABLE_STRIKETHROUGH;
    let mut builder = Builder { open: vec![Node::default()], ..Builder::default() };
    Parser::new_ext(text, options).for_each(|event| builder.event(event));
    builder.close_down_to(0);
    builder.open.pop().unwrap_or_default()
}

/// Builds the tree from the parser's events. `open` is the path from the root to where we are.
#[derive(Default)]
struct Builder {
    open: Vec<Node>,
    /// Text of the block being read.
    text: String,
    /// Where in `text` strong text began and ended, if it stands at the beginning.
    strong: Option<(usize, usize)>,
    /// The last block, if it was a line that can head a list.
    label: Option<String>,
    row: Vec<String>,
    head: Vec<String>,
    in_head: bool,
}

/// The level of a section that only a line above a list makes: below all headings.
pub(super) const LABEL: u8 = 7;

impl Builder {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Text(text) | Event::Code(text) => self.text.push_str(&text),
            Event::SoftBreak | Event::HardBreak => self.text.push(' '),
            Event::TaskListMarker(ticked) => self.top().checked = Some(ticked),
            Event::Start(Tag::Strong) if self.text.trim().is_empty() && self.strong.is_none() => {
                self.strong = Some((self.text.len(), self.text.len()));
            }
            Event::End(TagEnd::Strong) => {
                if let Some((from, to)) = &mut self.strong
                    && from == to
                {
                    *to = self.text.len();
                }
            }
            Event::Start(Tag::Heading { .. } | Tag::Paragraph) => self.forget(),
            Event::End(TagEnd::Heading(level)) => self.heading(level),
            Event::End(TagEnd::Paragraph | TagEnd::CodeBlock) => self.block(),
            Event::Start(Tag::Item) => {
                // A tight item has no paragraph of its own: what came before belongs to the item above.
                self.block();
                self.open.push(Node { kind: Kind::Item, ..Node::default() });
            }
            Event::End(TagEnd::Item) => {
                self.block();
                self.close();
            }
            Event::Start(Tag::List(_)) => {
                self.block();
                self.labelled_list();
            }
            Event::End(TagEnd::List(_)) if self.top().kind == Kind::Section(LABEL) => self.close(),
            Event::Start(Tag::TableHead) => self.in_head = true,
            Event::End(TagEnd::TableHead) => {
                self.in_head = false;
                self.head = std::mem::take(&mut self.row);
            }
            Event::Start(Tag::TableCell) => self.forget(),
            Event::End(TagEnd::TableCell) => {
                let cell = self.taken();
                self.row.push(cell);
            }
            Event::End(TagEnd::TableRow) => self.table_row(),
            _ => {}
        }
    }

    fn top(&mut self) -> &mut Node {
        if self.open.is_empty() {
            self.open.push(Node::default());
        }
        let last = self.open.len() - 1;
        &mut self.open[last]
    }

    fn close(&mut self) {
        if self.open.len() > 1
            && let Some(node) = self.open.pop()
        {
            self.top().children.push(node);
        }
    }

    fn close_down_to(&mut self, depth: usize) {
        while self.open.len() > depth + 1 {
            self.close();
        }
    }

    fn forget(&mut self) {
        self.text.clear();
        self.strong = None;
    }

    fn taken(&mut self) -> String {
        self.strong = None;
        std::mem::take(&mut self.text).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// A list under a short line is a section that the line heads: many documents have no other headings.
    fn labelled_list(&mut self) {
        let Some(label) = self.label.take() else { return };
        let node = self.top();
        let Some(before) = node.text.strip_suffix(label.as_str()).filter(|_| !node.is_entry()) else { return };
        node.text = before.trim_end().to_owned();
        let title = label.trim_end_matches(':').to_owned();
        self.open.push(Node { kind: Kind::Section(LABEL), whole: title.clone(), title, ..Node::default() });
    }

    fn heading(&mut self, level: HeadingLevel) {
        self.label = None;
        let level = level as u8;
        let title = self.taken();
        let deeper = |node: &Node| matches!(node.kind, Kind::Section(open) if open >= level) || node.is_entry();
        while self.open.last().is_some_and(deeper) {
            self.close();
        }
        let title = title.trim_end_matches(':').to_owned();
        self.open.push(Node { kind: Kind::Section(level), whole: title.clone(), title, ..Node::default() });
    }

    fn block(&mut self) {
        if self.text.trim().is_empty() {
            return self.forget();
        }
        let lead = self.strong.filter(|(from, to)| from < to).map(|(from, to)| self.text[from..to].trim().to_owned());
        let whole = self.taken();
        let node = self.top();
        if node.kind == Kind::Item && node.title.is_empty() {
            let (title, rest) = lead_of(&whole, lead.as_deref());
            node.fields = sentences_of(&rest, &title);
            (node.title, node.text, node.whole) = (title, rest, whole);
            self.label = None;
        } else {
            for (text, between) in [(&mut node.text, "\n"), (&mut node.whole, " ")] {
                if !text.is_empty() {
                    text.push_str(between);
                }
                text.push_str(&whole);
            }
            self.label = Some(whole).filter(|line| heads(line));
        }
    }

    fn table_row(&mut self) {
        let cells = std::mem::take(&mut self.row);
        if self.in_head || cells.iter().all(String::is_empty) {
            return;
        }
        let heads = self.head.iter().cloned().chain(std::iter::repeat(String::new()));
        let fields: Vec<(String, String)> = heads.zip(cells).collect();
        let whole = fields.iter().map(|(_, cell)| cell.as_str()).filter(|cell| !cell.is_empty()).collect::<Vec<_>>();
        self.label = None;
        let node = Node { kind: Kind::Row, whole: whole.join(" | "), fields, ..Node::default() };
        self.top().children.push(node);
    }
}

/// Whether a line can head a list: short, and no sentence.
fn heads(line: &str) -> bool {
    let begins = line.starts_with(|c: char| c.is_uppercase() || c.is_numeric());
    begins && line.split_whitespace().count() <= 8 && !line.ends_with(['.', '!', '?', ';', ','])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(node: &Node) -> Vec<&str> {
        node.children.iter().map(|child| child.title.as_str()).collect()
    }

    #[test]
    fn sections_hold_items_and_items_hold_items() {
        let text = "# Plan\n\nIntro.\n\n## Alpha\n\n### One\n\n- **Lead**: the rest\n  - detail\n- [x] Ticked. And more.\n\n## Beta\n\n1. Do it — by Friday\n";
        let root = outline("Plan", &Content::Markdown(text.into()));
        assert_eq!(titles(&root), ["Alpha", "Beta"]);
        let one = &root.children[0].children[0];
        assert_eq!(titles(one), ["Lead", "Ticked"]);
        assert_eq!(one.children[0].text, "the rest");
        assert_eq!(one.children[0].children[0].whole, "detail");
        assert_eq!((one.children[1].checked, one.children[1].text.as_str()), (Some(true), "And more."));
        assert_eq!(root.children[1].children[0].text, "by Friday");
    }

    #[test]
    fn rows_are_entries_with_fields() {
        let text = "| Team | Task | Due |\n|---|---|---|\n| Sales | Call | 3 May 2027 |\n| Ops | Pack | |\n";
        let root = outline("T", &Content::Markdown(text.into()));
        assert_eq!(root.children.len(), 2);
        assert_eq!(root.children[0].field(|key| key == "Task"), Some("Call"));
        assert_eq!(root.children[1].field(|key| key == "Due"), None);
    }

    #[test]
    fn plain_text_has_headings_and_bullets_too() {
        let text = "Week one\n\n• Meet the team\n• Read the handbook. It is long.\n\nWeek two\n* Ship\n";
        let root = outline("Onboarding", &Content::Text(text.into()));
        assert_eq!(titles(&root), ["Week one", "Week two"]);
        assert_eq!(titles(&root.children[0]), ["Meet the team", "Read the handbook"]);
        let html =
            "<head><title>x</title></head><h2>Week one</h2><ul><li>Meet &amp; greet</li></ul><script>1<2</script>";
        let root = outline("Onboarding", &Content::Html(html.into()));
        assert_eq!(titles(&root), ["Week one"]);
        assert_eq!(titles(&root.children[0]), ["Meet & greet"]);
    }

    #[test]
    fn a_line_above_a_list_heads_it() {
        let text = "# Checklist\n\nBefore day one\n- Laptop (Ann)\n\n**Day one:**\n\n- Keys. Owner: Bo Li. Due: 2027-01-04.\n\nThis is a sentence.\n\n- Loose\n";
        let root = outline("Checklist", &Content::Markdown(text.into()));
        assert_eq!(titles(&root), ["Before day one", "Day one", "Loose"]);
        let keys = &root.children[1].children[0];
        assert_eq!((keys.title.as_str(), keys.field(|key| key == "Owner")), ("Keys", Some("Bo Li")));
        assert_eq!(keys.field(|key| key == "Due"), Some("2027-01-04"));
    }
}
