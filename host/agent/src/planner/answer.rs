//! Extractive answers: sentences of the documents, word for word, with their numbers.

use std::collections::{BTreeMap, BTreeSet};

use super::sentence::sentence_end;
use super::words::stems;
use crate::ports::Hit;

/// How many sentences an answer has at most.
const SENTENCES: usize = 5;
/// The longest sentence that is quoted, in characters.
const LONGEST: usize = 600;

/// A sentence that answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Extract {
    /// Which hit it stands in.
    pub(super) hit: usize,
    /// Its text, without list marks.
    pub(super) text: String,
}

/// The sentences of `hits` that share most with the question, best first. None where nothing does.
pub(super) fn extract(question: &str, hits: &[Hit]) -> Vec<Extract> {
    let asked = stems(question);
    let units: Vec<(usize, String, BTreeSet<String>)> = hits
        .iter()
        .enumerate()
        .flat_map(|(hit, found)| sentences(&found.text).into_iter().map(move |text| (hit, text)))
        .map(|(hit, text)| {
            let words = stems(&text);
            (hit, text, words)
        })
        .collect();
    // A word that few sentences have says more about the one that has it.
    let mut having: BTreeMap<&String, usize> = BTreeMap::new();
    for word in &asked {
        having.insert(word, units.iter().filter(|(_, _, words)| words.contains(word)).count());
    }
    let weight =
        |word: &String| ((1 + units.len()) as f32 / (1 + having.get(word).copied().unwrap_or(0)) as f32).ln() + 0.1;
    let all: f32 = asked.iter().map(weight).sum();
    let mut rated: Vec<(f32, usize)> = Vec::new();
    for (at, (hit, text, words)) in units.iter().enumerate() {
        let found = &hits[*hit];
        let around = stems(&format!("{} {}", found.document.title, found.heading.join(" ")));
        let said: f32 = asked.intersection(words).map(weight).sum();
        let framed: f32 = asked.difference(words).filter(|word| around.contains(*word)).map(weight).sum();
        let share = (said + 0.6 * framed) / all.max(0.1);
        let length = text.chars().count() as f32;
        if said > 0.0 && share >= 0.34 && length >= 12.0 {
            rated.push((share * (1.0 - 0.03 * *hit as f32).max(0.4) - (length / 4000.0), at));
        }
    }
    rated.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let best = rated.first().map(|(score, _)| *score).unwrap_or_default();
    let mut chosen: Vec<Extract> = Vec::new();
    for (score, at) in rated {
        let (hit, text, _) = &units[at];
        if score < best * 0.5 || chosen.len() == SENTENCES {
            break;
        }
        if !chosen.iter().any(|extract| extract.text == *text) {
            chosen.push(Extract { hit: *hit, text: text.clone() });
        }
    }
    chosen
}

/// The sentences of a passage: list items and table rows are one or more each, headings none.
fn sentences(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut paragraph = String::new();
    let flush = |paragraph: &mut String, found: &mut Vec<String>| {
        let mut rest = paragraph.trim();
        while !rest.is_empty() {
            let end = sentence_end(rest).unwrap_or(rest.len());
            found.push(crate::text::shortened(rest[..end].trim(), LONGEST));
            rest = rest[end..].trim_start();
        }
        paragraph.clear();
    };
    for line in text.lines() {
        let line = line.trim();
        let numbered = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let item = ["- ", "* ", "+ ", "• "].iter().find_map(|mark| line.strip_prefix(mark)).or_else(|| {
            (numbered.len() < line.len()).then(|| numbered.strip_prefix(". ").or(numbered.strip_prefix(") "))).flatten()
        });
        if line.is_empty() || line.starts_with('#') || line.starts_with('|') || item.is_some() {
            flush(&mut paragraph, &mut found);
        }
        if line.starts_with('|') {
            let cells: Vec<&str> = line.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect();
            if !cells.iter().all(|cell| cell.chars().all(|c| matches!(c, '-' | ':'))) {
                paragraph.push_str(&cells.join(", "));
            }
            flush(&mut paragraph, &mut found);
        } else if !line.starts_with('#') {
            if !paragraph.is_empty() {
                paragraph.push(' ');
            }
            paragraph.push_str(item.unwrap_or(line));
        }
    }
    flush(&mut paragraph, &mut found);
    found.iter_mut().for_each(|text| *text = text.replace("**", "").replace("__", ""));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passage_is_cut_into_what_can_be_quoted() {
        let text = "## Decisions\n\nWe **moved** the launch. It is on 3 May.\n- Prices stay. For now.\n\n| A | B |\n|---|---|\n| 1 | two |\n";
        let expected = ["We moved the launch.", "It is on 3 May.", "Prices stay.", "For now.", "A, B", "1, two"];
        assert_eq!(sentences(text), expected);
    }
}
