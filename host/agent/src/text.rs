//! Text from elsewhere, as it is shown to people and found in their words.

/// A name or title on one line: no control or direction characters, no Markdown emphasis, at most 100 characters.
pub(crate) fn shown(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let cleaned: String = text.chars().map(|c| if hidden(c) || c == '*' { ' ' } else { c }).collect();
    let words = cleaned.split_whitespace().collect::<Vec<_>>().join(" ");
    shortened(&words, 100)
}

/// At most `limit` characters, cut at a word where one ends in the second half, and marked.
pub(crate) fn shortened(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let cut: String = text.chars().take(limit.saturating_sub(1)).collect();
    let end = cut.rfind(char::is_whitespace).filter(|end| *end > cut.len() / 2).unwrap_or(cut.len());
    format!("{}…", cut[..end].trim_end())
}

/// A title without what a file's name ends in: "Plan.md" is "Plan", and "Release 4.3" is itself.
pub(crate) fn stem(title: &str) -> &str {
    match title.rsplit_once('.') {
        Some((stem, ending)) if !stem.trim().is_empty() && is_ending(ending) => stem,
        _ => title,
    }
}

fn is_ending(text: &str) -> bool {
    (1..=8).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
}

/// "a, b and c"; of more than five, the first five and how many more.
pub(crate) fn enumerated(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.collect();
    let more = names.len().saturating_sub(5);
    if more > 0 {
        names.truncate(5);
        names.push(format!("{more} more"));
    }
    match names.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// "Create a board" → "create a board"; an abbreviation stays as it is.
pub(crate) fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second.is_whitespace() => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

/// Whether `value` stands in `text` as whole words, exactly as written.
pub(crate) fn stands_in(value: &str, text: &str) -> bool {
    let value = value.trim();
    if value.is_empty() {
        return false;
    }
    let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(value).any(|(at, _)| {
        let before = joins(value.chars().next()) && joins(text[..at].chars().next_back());
        let after = joins(value.chars().next_back()) && joins(text[at + value.len()..].chars().next());
        !before && !after
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stands_in_words_only_as_a_whole() {
        assert!(stands_in("ops", "post to ops, please"));
        assert!(stands_in("#ops", "post to #ops"));
        assert!(!stands_in("ops", "post to devops"));
        assert!(!stands_in("Ops", "post to ops"));
        assert!(!stands_in("", "anything"));
        assert!(!stands_in("abc", "abcd abc_d"));
    }

    #[test]
    fn long_lists_say_how_many_more() {
        assert_eq!(enumerated(["a", "b"].map(String::from).into_iter()), "a and b");
        assert_eq!(enumerated((1..=8).map(|n| n.to_string())), "1, 2, 3, 4, 5 and 3 more");
        assert_eq!(lower_first("Create board"), "create board");
        assert_eq!(lower_first("PDF export"), "PDF export");
    }
}
