//! Words: where they stand, and when two of them are the same.

use std::collections::BTreeSet;
use std::ops::Range;

/// A word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Lower case.
    pub(super) lower: String,
    /// Bytes of the text.
    pub(super) span: Range<usize>,
}

/// Words of letters and digits; `-`, `'`, `.` and `_` join within a word, `#` and `@` begin one.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut found: Vec<Word> = Vec::new();
    let mut start = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, c)| *c);
        let joins = matches!(c, '-' | '\'' | '’' | '.' | '_' | '@') && next.is_some_and(char::is_alphanumeric);
        let begins = matches!(c, '#' | '@') && next.is_some_and(char::is_alphanumeric);
        match start {
            None if c.is_alphanumeric() || begins => start = Some(at),
            Some(from) if !(c.is_alphanumeric() || joins) => {
                found.push(word(text, from..at));
                start = begins.then_some(at);
            }
            _ => {}
        }
    }
    if let Some(from) = start {
        found.push(word(text, from..text.len()));
    }
    found
}

fn word(text: &str, span: Range<usize>) -> Word {
    Word { lower: text[span.clone()].to_lowercase().replace('’', "'"), span }
}

/// A noun in the singular, lower case: "Lists" and "list's" are `list`.
pub(super) fn noun(word: &str) -> String {
    let word = word.to_lowercase();
    let word = word.strip_suffix("'s").or(word.strip_suffix("s'")).unwrap_or(&word);
    if let Some(stem) = word.strip_suffix("ies").filter(|stem| stem.len() > 1) {
        return format!("{stem}y");
    }
    for ending in ["ches", "shes", "sses", "xes", "zes"] {
        if word.ends_with(ending) {
            return word[..word.len() - 2].to_owned();
        }
    }
    match word.strip_suffix('s') {
        Some(stem) if stem.len() > 1 && !stem.ends_with(['s', 'u', 'i']) => stem.to_owned(),
        _ => word.to_owned(),
    }
}

/// What a word has in common with its other forms, for matching questions: "decided" and "decide" are `decid`.
pub(super) fn stem(word: &str) -> String {
    let noun = noun(word);
    let cut = ["ing", "ed"]
        .iter()
        .find_map(|ending| noun.strip_suffix(ending))
        .filter(|stem| stem.len() > 2 && stem.contains(['a', 'e', 'i', 'o', 'u', 'y']));
    let mut stem = cut.unwrap_or(&noun).to_owned();
    if let [.., a, b] = stem.as_bytes()
        && a == b
        && cut.is_some()
        && !matches!(b, b'l' | b's' | b'z')
    {
        stem.pop();
    }
    if stem.len() > 3 && stem.ends_with('e') {
        stem.pop();
    }
    stem
}

/// Sorted, to be found by halves.
const STOP: &[&str] = &[
    "a", "about", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can",
    "could", "did", "do", "does", "each", "every", "for", "from", "get", "give", "had", "has", "have", "he", "her",
    "here", "him", "his", "how", "i", "i'd", "if", "in", "into", "is", "it", "it's", "its", "just", "let", "let's",
    "like", "me", "more", "most", "my", "need", "new", "no", "not", "now", "of", "on", "one", "only", "or", "our",
    "out", "over", "own", "per", "please", "she", "should", "show", "so", "some", "such", "tell", "than", "that",
    "the", "their", "them", "then", "there", "these", "they", "this", "those", "to", "too", "under", "up", "us", "use",
    "using", "very", "want", "was", "we", "were", "what", "what's", "when", "where", "which", "who", "whom", "whose",
    "why", "will", "with", "within", "would", "you", "your",
];

/// Words that say nothing about what a text is about.
pub(super) fn is_stop(lower: &str) -> bool {
    STOP.binary_search(&lower).is_ok()
}

/// The nouns of a text that say what it is about, as a set.
pub(super) fn nouns(text: &str) -> BTreeSet<String> {
    words(text).iter().filter(|word| !is_stop(&word.lower)).map(|word| noun(&word.lower)).collect()
}

/// The stems of a text that say what it is about, as a set.
pub(super) fn stems(text: &str) -> BTreeSet<String> {
    words(text).iter().filter(|word| !is_stop(&word.lower)).map(|word| stem(&word.lower)).collect()
}

/// The words of a name as programs write it: `list_id`, `dueDate`, `due-date`.
pub(super) fn name_words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut previous = '_';
    for c in name.chars() {
        if !c.is_alphanumeric() {
            previous = '_';
            continue;
        }
        let begins = previous == '_' || c.is_uppercase() && previous.is_lowercase();
        match words.last_mut() {
            Some(word) if !begins => word.extend(c.to_lowercase()),
            _ => words.push(c.to_lowercase().collect()),
        }
        previous = c;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_are_sorted() {
        assert!(STOP.is_sorted(), "a word out of order is not found");
        assert!(is_stop("per"));
        assert!(!is_stop("marketing"));
    }

    #[test]
    fn forms_of_a_word_are_one() {
        for (word, same) in
            [("lists", "list"), ("boxes", "box"), ("Policies", "policy"), ("team's", "team"), ("status", "status")]
        {
            assert_eq!(noun(word), same);
        }
        assert_eq!(stem("decided"), stem("decide"));
        assert_eq!(stem("planning"), stem("plan"));
        assert_eq!(stem("launches"), stem("launch"));
        assert_ne!(noun("marketing"), noun("market"));
    }

    #[test]
    fn words_know_where_they_stand() {
        let text = "Post to #ops-eu: mail ann@acme.test, v1.2.";
        let found: Vec<_> = words(text).into_iter().map(|word| text[word.span].to_owned()).collect();
        assert_eq!(found, ["Post", "to", "#ops-eu", "mail", "ann@acme.test", "v1.2"]);
        assert_eq!(name_words("dueDate"), ["due", "date"]);
        assert_eq!(name_words("list_id"), ["list", "id"]);
    }
}
