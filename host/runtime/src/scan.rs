//! Looks for secrets in what came back.
//!
//! A service that echoes a request (or an attacker who made it do so) may return the secret as it is or encoded. A hit
//! drops the answer; bytes are never rewritten.

use aho_corasick::{AhoCorasick, MatchKind};
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::keys::Secret;

/// Shorter ones are not looked for: they would be found everywhere.
const SHORTEST: usize = 8;

/// Finds a set of secrets, raw and encoded.
pub(crate) struct Scanner {
    exact: Option<AhoCorasick>,
    hex: Option<AhoCorasick>,
}

impl Scanner {
    /// A scanner for these secrets. What is shorter than 8 bytes is left out.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut exact: Vec<Vec<u8>> = Vec::new();
        let mut hex = Vec::new();
        for secret in secrets {
            let secret = secret.expose().as_bytes();
            if secret.len() < SHORTEST {
                continue;
            }
            exact.push(secret.to_vec());
            for phase in 0..3 {
                exact.push(base64_within(&STANDARD_NO_PAD, secret, phase));
                exact.push(base64_within(&URL_SAFE_NO_PAD, secret, phase));
            }
            hex.push(hex::encode(secret));
        }
        let build = |needles: &[Vec<u8>], any_case: bool| {
            let automaton =
                AhoCorasick::builder().match_kind(MatchKind::Standard).ascii_case_insensitive(any_case).build(needles);
            (!needles.is_empty()).then(|| automaton.expect("a few short needles are far below every limit"))
        };
        let hex: Vec<Vec<u8>> = hex.into_iter().map(String::into_bytes).collect();
        Self { exact: build(&exact, false), hex: build(&hex, true) }
    }

    /// Whether a secret stands in `bytes`: raw, base64 or base64url in any phase, hex in any case, and all of these
    /// under percent-encoding or JSON escapes.
    pub(crate) fn finds(&self, bytes: &[u8]) -> bool {
        if self.exact.is_none() {
            return false;
        }
        if self.direct(bytes) {
            return true;
        }
        let percent = bytes.contains(&b'%').then(|| percent_encoding::percent_decode(bytes).collect::<Vec<u8>>());
        if percent.as_deref().is_some_and(|decoded| self.direct(decoded)) {
            return true;
        }
        bytes.contains(&b'\\') && self.direct(&unescape(bytes))
    }

    fn direct(&self, bytes: &[u8]) -> bool {
        [&self.exact, &self.hex].into_iter().flatten().any(|automaton| automaton.is_match(bytes))
    }
}

/// The characters of base64 that depend on `secret` alone when `phase` other bytes stand before it in a group of three.
fn base64_within(engine: &impl base64::Engine, secret: &[u8], phase: usize) -> Vec<u8> {
    let mut padded = vec![0; phase];
    padded.extend_from_slice(secret);
    let encoded = engine.encode(&padded).into_bytes();
    let start = [0, 2, 3][phase];
    let whole = padded.len() * 8 / 6;
    encoded[start..whole].to_vec()
}

/// Undoes `\uXXXX`, `\/` and the other JSON escapes, wherever they stand.
fn unescape(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'\\' {
            plain.push(*first);
            continue;
        }
        match tail {
            [b'u', digits @ ..] if digits.len() >= 4 => {
                let code = std::str::from_utf8(&digits[..4]).ok().and_then(|text| u32::from_str_radix(text, 16).ok());
                match code.and_then(char::from_u32) {
                    Some(c) => {
                        plain.extend(c.encode_utf8(&mut [0; 4]).bytes());
                        rest = &digits[4..];
                    }
                    None => plain.push(b'\\'),
                }
            }
            [escaped @ (b'"' | b'\\' | b'/'), after @ ..] => {
                plain.push(*escaped);
                rest = after;
            }
            _ => plain.push(b'\\'),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::*;

    const TOKEN: &str = "ya29.a0/Af+SECRET~token_42";

    fn scanner() -> Scanner {
        Scanner::new(&[Secret::new(TOKEN)])
    }

    #[test]
    fn a_secret_is_found_however_it_is_encoded() {
        let scanner = scanner();
        let percent: String = TOKEN.bytes().map(|b| format!("%{b:02X}")).collect();
        let unicode: String = TOKEN.bytes().map(|b| format!("\\u{b:04x}")).collect();
        let mut shapes = vec![
            TOKEN.to_owned(),
            format!("Bearer {TOKEN}"),
            TOKEN.replace('/', "%2F").replace('+', "%2B"),
            TOKEN.replace('/', "%2f").replace('~', "%7e"),
            percent.to_lowercase(),
            percent,
            TOKEN.replace('/', "\\/"),
            unicode,
            hex::encode(TOKEN),
            hex::encode_upper(TOKEN),
        ];
        for before in ["", "x", "xy", "xyz", "user:"] {
            for after in ["", "1", "12", "123"] {
                let text = format!("{before}{TOKEN}{after}");
                shapes.extend([
                    STANDARD.encode(&text),
                    URL_SAFE.encode(&text),
                    STANDARD.encode(&text).replace('=', "%3D").replace('+', "%2B").replace('/', "%2F"),
                ]);
            }
        }
        for shape in shapes {
            let body = format!("{{\"echo\": \"{shape}\"}}");
            assert!(scanner.finds(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn what_is_no_secret_is_not_found() {
        let scanner = scanner();
        for body in [
            &b"{}"[..],
            b"ya29.a0",
            b"%",
            b"\\u00",
            b"\\",
            &TOKEN.as_bytes()[1..],
            &[0xff, b'\\', b'u', 0xff, 0xff, 0xff, 0xff],
        ] {
            assert!(!scanner.finds(body), "{body:?}");
        }
        assert!(!Scanner::new(&[Secret::new("short")]).finds(b"short"));
    }
}
