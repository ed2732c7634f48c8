//! A card as a document.

use std::fmt::Write;

use sallyport_sdk::prelude::*;
use serde_json::json;

use super::cursor::digest;
use crate::model::{Card, made};

/// A card: its description and checklists as Markdown, under its name.
pub(super) fn of(card: &Card, archived: bool) -> Document {
    let labels: Vec<&str> = card.labels.iter().filter_map(|label| label.text()).collect();
    let markdown = markdown(card, &labels);
    let revision = digest(&(
        (&card.name, &markdown, &card.url, &card.id_board, &card.id_list),
        (&labels, &card.due, card.due_complete, &card.id_members, archived),
    ));
    let mut document = Document::new(&card.id, "card", &card.name)
        .revision(format!("{revision:016x}"))
        .created(made(&card.id))
        .updated(card.date_last_activity.as_deref().and_then(Timestamp::parse))
        .container(&card.id_list)
        .access(Access::inherit(&card.id_board))
        .metadata("archived", archived);
    if !markdown.is_empty() {
        document = document.markdown(markdown);
    }
    if let Some(url) = &card.url {
        document = document.url(url);
    }
    if let Some(due) = &card.due {
        document = document.metadata("due", due.as_str()).metadata("due_complete", card.due_complete);
    }
    if !labels.is_empty() {
        document = document.metadata("labels", json!(labels));
    }
    if !card.id_members.is_empty() {
        document = document.metadata("members", json!(card.id_members));
    }
    document
}

fn markdown(card: &Card, labels: &[&str]) -> String {
    let mut text = card.desc.as_deref().unwrap_or_default().trim().to_owned();
    let mut facts = Vec::new();
    if let Some(due) = &card.due {
        let day = due.get(..10).unwrap_or(due);
        facts.push(format!("Due {day}{}.", if card.due_complete { ", done" } else { "" }));
    }
    if !labels.is_empty() {
        facts.push(format!("Labels: {}.", labels.join(", ")));
    }
    if !facts.is_empty() {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        text.push_str(&facts.join(" "));
    }
    let mut checklists: Vec<_> = card.checklists.iter().collect();
    checklists.sort_by(|a, b| a.pos.total_cmp(&b.pos));
    for checklist in checklists {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "## {}", checklist.name);
        let mut items: Vec<_> = checklist.check_items.iter().collect();
        items.sort_by(|a, b| a.pos.total_cmp(&b.pos));
        for item in items {
            let _ = write!(text, "\n- [{}] {}", if item.state == "complete" { "x" } else { " " }, item.name);
        }
    }
    text
}
