//! Text to terms, the same for documents and queries.

use tantivy::tokenizer::{AsciiFoldingFilter, LowerCaser, SimpleTokenizer, TextAnalyzer, TokenStream};

/// Longer runs of letters are no words that somebody asks for.
const LONGEST_TERM: usize = 64;

/// Words of letters and digits, in lower case, without accents. Scripts that put no space between
/// words give one term a character.
pub(crate) fn terms(text: &str) -> Vec<String> {
    let mut analyzer =
        TextAnalyzer::builder(SimpleTokenizer::default()).filter(LowerCaser).filter(AsciiFoldingFilter).build();
    let mut stream = analyzer.token_stream(text);
    let mut terms = Vec::new();
    while let Some(token) = stream.next() {
        if token.text.chars().any(is_unspaced) {
            split(&token.text, &mut terms);
        } else if token.text.len() <= LONGEST_TERM {
            terms.push(token.text.clone());
        }
    }
    terms
}

fn split(token: &str, terms: &mut Vec<String>) {
    let mut run = String::new();
    for c in token.chars() {
        if is_unspaced(c) {
            terms.extend((!run.is_empty()).then(|| std::mem::take(&mut run)));
            terms.push(c.to_string());
        } else {
            run.push(c);
        }
    }
    terms.extend((!run.is_empty() && run.len() <= LONGEST_TERM).then_some(run));
}

/// Han, kana, Thai, Lao, Khmer, Myanmar.
fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c),
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x3040..=0x30FF | 0x3400..=0x9FFF | 0xF900..=0xFAFF
        | 0x2_0000..=0x3_FFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_accents_do_not_matter() {
        assert_eq!(terms("Café CAFE, über-Plan 2027!"), ["cafe", "cafe", "uber", "plan", "2027"]);
    }

    #[test]
    fn scripts_without_spaces_can_be_searched() {
        assert_eq!(terms("東京tower 2027年"), ["東", "京", "tower", "2027", "年"]);
    }

    #[test]
    fn a_run_without_end_is_no_term() {
        assert!(terms(&"x".repeat(100_000)).is_empty());
    }
}
