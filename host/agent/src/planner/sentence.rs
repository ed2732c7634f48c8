//! Where sentences end, and what they set apart: leads, and `Key: value`.

/// What an item says as `Key: value`, each a sentence or in brackets: "Owner: Ann. Due: 3 May."
pub(super) fn sentences_of(rest: &str, title: &str) -> Vec<(String, String)> {
    let brackets = title.find(['(', '[']).map_or("", |at| &title[at..]);
    let mut fields = Vec::new();
    for text in [rest, brackets] {
        let mut text = text;
        while !text.is_empty() {
            let end = sentence_end(text).unwrap_or(text.len());
            for part in text[..end].split([';', '\n', '(', ')', '[', ']']) {
                let Some((key, value)) = part.split_once(": ") else { continue };
                let (key, value) = (key.trim(), value.trim().trim_end_matches('.'));
                let plain = key.chars().all(|c| c.is_alphabetic() || c == ' ') && key.split(' ').count() <= 3;
                if plain && !key.is_empty() && !value.is_empty() {
                    fields.push((key.to_owned(), value.to_owned()));
                }
            }
            text = text[end..].trim_start();
        }
    }
    fields
}

/// Splits an item into its lead and the rest: a bold beginning, else up to a colon or dash, else the first sentence.
pub(super) fn lead_of(whole: &str, bold: Option<&str>) -> (String, String) {
    let trim = |text: &str| text.trim_matches(|c: char| c.is_whitespace() || matches!(c, ':' | '–' | '—')).to_owned();
    if let Some(rest) = bold.and_then(|bold| whole.strip_prefix(bold)).filter(|_| bold != Some(whole)) {
        let rest = rest.trim_start_matches([' ', ':', '-', '–', '—', '.', ',']);
        let bold = bold.unwrap_or_default();
        return (trim(bold).trim_end_matches('.').to_owned(), rest.to_owned());
    }
    let short = |end: &usize| whole[..*end].split_whitespace().count() <= 12;
    let first = sentence_end(whole).unwrap_or(whole.len());
    let cut = [": ", " — ", " – ", " - "].iter().filter_map(|between| whole.find(between)).min();
    if let Some(end) = cut.filter(short).filter(|end| *end < first) {
        let rest = whole[end..].trim_start_matches([' ', ':', '-', '–', '—']);
        return (trim(&whole[..end]), rest.to_owned());
    }
    match sentence_end(whole) {
        Some(end) if end < whole.len() => (trim(whole[..end].trim_end_matches('.')), whole[end..].trim().to_owned()),
        _ => (trim(whole.trim_end_matches('.')), String::new()),
    }
}

/// Where the first sentence ends: after `.`, `!` or `?` that a space and a capital or digit follow.
pub(super) fn sentence_end(text: &str) -> Option<usize> {
    const ABBREVIATIONS: &[&str] = &["e.g", "i.e", "etc", "vs", "approx", "no", "dr", "mr", "mrs", "ms", "st", "incl"];
    text.char_indices().filter(|(_, c)| matches!(c, '.' | '!' | '?')).map(|(at, c)| at + c.len_utf8()).find(|end| {
        let mut after = text[*end..].chars();
        let begins = after.next().is_none_or(char::is_whitespace)
            && after.next().is_none_or(|c| c.is_uppercase() || c.is_numeric() || matches!(c, '"' | '“' | '*' | '('));
        let word = text[..*end - 1].rsplit(char::is_whitespace).next().unwrap_or_default().to_lowercase();
        begins
            && !(text[..*end].ends_with('.')
                && (ABBREVIATIONS.contains(&word.trim_start_matches('('))
                    || word.len() == 1 && word.chars().all(char::is_alphabetic)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abbreviations_do_not_end_a_sentence() {
        assert_eq!(sentence_end("Ask e.g. Ann. Then go."), Some("Ask e.g. Ann.".len()));
        assert_eq!(sentence_end("No end here"), None);
    }
}
