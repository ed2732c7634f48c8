//! Looks for secrets in what came back.
//!
//! A service that echoes a request (or an attacker who made it do so) may return the secret as it is or encoded. A hit
//! drops the answer; bytes are never rewritten.

use std::borrow::Cow;
use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::{memchr, memchr_iter};

use crate::keys::Secret;

/// Shorter ones are not looked for: they would be found everywhere. At entry more is asked.
const SHORTEST: usize = 8;

/// Characters of a secret's hex by which it is noticed.
const ANCHOR: usize = 6;

/// Finds a set of secrets, raw and encoded.
pub(crate) struct Scanner {
    exact: Option<AhoCorasick>,
    hex: Option<Hex>,
}

/// Hex in any mixture of cases: a few characters of it are looked for in each, and the rest is compared there.
struct Hex {
    anchors: AhoCorasick,
    /// Each secret's hex, and where its anchor stands in it.
    secrets: Vec<(String, usize)>,
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
        Self { exact: (!exact.is_empty()).then(|| automaton(&exact)), hex: Hex::new(hex) }
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
        let percent = memchr(b'%', bytes).map(|_| Cow::from(percent_encoding::percent_decode(bytes)));
        if percent.as_deref().is_some_and(|decoded| self.direct(decoded)) {
            return true;
        }
        memchr(b'\\', bytes).is_some() && self.direct(&unescape(bytes))
    }

    fn direct(&self, bytes: &[u8]) -> bool {
        self.exact.as_ref().is_some_and(|exact| exact.is_match(bytes))
            || self.hex.as_ref().is_some_and(|hex| hex.finds(bytes))
    }
}

impl Hex {
    fn new(secrets: Vec<String>) -> Option<Self> {
        let anchored = |secret: String| {
            // Where the fewest letters stand, there are the fewest ways to write it.
            let letters = |at: &usize| secret[*at..*at + ANCHOR].bytes().filter(u8::is_ascii_alphabetic).count();
            let at = (0..=secret.len() - ANCHOR).min_by_key(letters).unwrap_or_default();
            (secret, at)
        };
        let secrets: Vec<_> = secrets.into_iter().map(anchored).collect();
        let anchors = secrets.iter().flat_map(|(secret, at)| both_cases(&secret[*at..*at + ANCHOR]));
        let anchors: Vec<_> = anchors.collect();
        (!anchors.is_empty()).then(|| Self { anchors: automaton(&anchors), secrets })
    }

    fn finds(&self, bytes: &[u8]) -> bool {
        let mut from = 0;
        while let Some(found) = self.anchors.find(&bytes[from..]) {
            let at = from + found.start();
            // Two secrets may have the same anchor: each is compared.
            if self.secrets.iter().any(|(secret, anchor)| stands(secret, bytes, at.checked_sub(*anchor))) {
                return true;
            }
            from = at + 1;
        }
        false
    }
}

fn stands(secret: &str, bytes: &[u8], at: Option<usize>) -> bool {
    let there = at.and_then(|at| bytes.get(at..at + secret.len()));
    there.is_some_and(|there| there.eq_ignore_ascii_case(secret.as_bytes()))
}

/// Leftmost first, because that has a vectorised search; whether there is a match at all is the same for every kind.
fn automaton(needles: &[Vec<u8>]) -> AhoCorasick {
    let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(needles);
    built.expect("a few short needles are far below every limit")
}

/// A text in every mixture of upper and lower case.
fn both_cases(text: &str) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::from([Vec::new()]);
    for byte in text.bytes() {
        let longer = |text: &Vec<u8>| {
            [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()].map(|byte| [text.as_slice(), &[byte]].concat())
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
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
    let mut done = 0;
    for at in memchr_iter(b'\\', bytes) {
        // The second half of an escape that was undone with its first.
        if at < done {
            continue;
        }
        plain.extend_from_slice(&bytes[done..at]);
        done = at + 1;
        match &bytes[done..] {
            [b'u', digits @ ..] if digits.len() >= 4 => {
                let code = std::str::from_utf8(&digits[..4]).ok().and_then(|text| u32::from_str_radix(text, 16).ok());
                match code.and_then(char::from_u32) {
                    Some(c) => {
                        plain.extend(c.encode_utf8(&mut [0; 4]).bytes());
                        done += 5;
                    }
                    None => plain.push(b'\\'),
                }
            }
            [escaped @ (b'"' | b'\\' | b'/'), ..] => {
                plain.push(*escaped);
                done += 1;
            }
            _ => plain.push(b'\\'),
        }
    }
    plain.extend_from_slice(&bytes[done..]);
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
            hex::encode(TOKEN)
                .chars()
                .enumerate()
                .map(|(at, c)| if at % 3 == 0 { c.to_ascii_uppercase() } else { c })
                .collect(),
            format!("{}{}", &hex::encode(TOKEN)[..20], hex::encode(TOKEN)),
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
