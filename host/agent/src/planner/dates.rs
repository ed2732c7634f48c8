//! Dates as people write them.

use time::{Date, Month};

use super::words::{Word, words};

/// The day that a text sets as its date: the one after "due", "by" and the like, else its only one.
///
/// A date without a year takes `year`, if there is one. Numbers that can be read in two ways are no date.
pub(super) fn due(text: &str, year: Option<i32>) -> Option<Date> {
    let found = dates(text, year);
    let cued = found.iter().find(|(_, cued)| *cued).map(|(date, _)| *date);
    match found.as_slice() {
        [(only, _)] => Some(*only),
        _ => cued,
    }
}

/// The year that a text speaks of, if it names exactly one from 2000 to 2099.
pub(super) fn year_of(text: &str) -> Option<i32> {
    let mut years: Vec<i32> = words(text).iter().filter_map(|word| year(&word.lower)).collect();
    years.sort_unstable();
    years.dedup();
    match years.as_slice() {
        [only] => Some(*only),
        _ => None,
    }
}

fn dates(text: &str, default: Option<i32>) -> Vec<(Date, bool)> {
    let words = words(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        match date_at(&words[at..], default) {
            Some((date, taken)) => {
                let before = words[at.saturating_sub(3)..at].iter().any(|word| cue(&word.lower));
                found.push((date, before));
                at += taken;
            }
            None => at += 1,
        }
    }
    found
}

fn cue(word: &str) -> bool {
    matches!(word, "due" | "by" | "before" | "deadline" | "until" | "till")
}

/// A date at the beginning of some words, and how many of them it takes.
fn date_at(words: &[Word], default: Option<i32>) -> Option<(Date, usize)> {
    let text = |at: usize| words.get(at).map(|word| word.lower.as_str()).unwrap_or_default();
    if let Some(date) = numeric(text(0)) {
        return Some((date, 1));
    }
    // "end of October" is its last day.
    if text(0) == "end" {
        let from = 1 + usize::from(text(1) == "of");
        let month = month(text(from))?;
        let named = year(text(from + 1));
        let year = named.or(default)?;
        let last = Date::from_calendar_date(year, month, month.length(year)).ok()?;
        return Some((last, from + 1 + usize::from(named.is_some())));
    }
    let (day, month, taken) = match (day(text(0)), month(text(0))) {
        (Some(day), _) => {
            let of = usize::from(text(1) == "of");
            (day, month(text(1 + of))?, 2 + of)
        }
        (None, Some(month)) => (day(text(1))?, month, 2),
        (None, None) => return None,
    };
    let named = year(text(taken));
    let date = Date::from_calendar_date(named.or(default)?, month, day).ok()?;
    Some((date, taken + usize::from(named.is_some())))
}

/// `2026-11-05`, `2026-11-05t…`, `5.11.2026`; with dashes or dots only in an order that is beyond doubt.
fn numeric(word: &str) -> Option<Date> {
    let word = word.split_once('t').map_or(word, |(date, _)| date);
    let parts: Vec<&str> = word.split(['-', '.']).collect();
    let [a, b, c] = parts.as_slice() else { return None };
    let number = |text: &str| text.parse::<u16>().ok();
    let (year, month, day) = match (a.len(), c.len()) {
        (4, 1..=2) => (number(a)?, number(b)?, number(c)?),
        (1..=2, 4) if word.contains('.') => (number(c)?, number(b)?, number(a)?),
        _ => return None,
    };
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()
}

fn year(word: &str) -> Option<i32> {
    (word.len() == 4 && word.starts_with("20")).then(|| word.parse().ok()).flatten()
}

fn day(word: &str) -> Option<u8> {
    let digits = ["st", "nd", "rd", "th"].iter().find_map(|ending| word.strip_suffix(ending)).unwrap_or(word);
    digits.parse().ok().filter(|day| (1..=31).contains(day) && digits.len() < 3)
}

fn month(word: &str) -> Option<Month> {
    const MONTHS: [(&str, Month); 12] = [
        ("january", Month::January),
        ("february", Month::February),
        ("march", Month::March),
        ("april", Month::April),
        ("may", Month::May),
        ("june", Month::June),
        ("july", Month::July),
        ("august", Month::August),
        ("september", Month::September),
        ("october", Month::October),
        ("november", Month::November),
        ("december", Month::December),
    ];
    let named = |name: &str| name == word || name[..3] == *word || word == "sept" && name == "september";
    MONTHS.iter().find(|(name, _)| named(name)).map(|(_, month)| *month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_as_people_write_them() {
        let cases = [
            ("due 2027-03-04", Some("2027-03-04")),
            ("by 12 November", Some("2026-11-12")),
            ("Nov 5th, 2027", Some("2027-11-05")),
            ("the 3rd of May", Some("2026-05-03")),
            ("5.11.2026", Some("2026-11-05")),
            ("by the end of February", Some("2026-02-28")),
            ("from 3 May, due by 9 June", Some("2026-06-09")),
            ("3 May to 9 June", None),
            ("31 February", None),
            ("12 people in November-like weather", None),
            ("budget of 40", None),
            ("v1.2.3", None),
        ];
        for (text, expected) in cases {
            assert_eq!(due(text, Some(2026)).map(|date| date.to_string()).as_deref(), expected, "{text}");
        }
        assert_eq!(due("12 November", None), None);
    }

    #[test]
    fn a_year_counts_where_it_is_the_only_one() {
        assert_eq!(year_of("Strategy 2026, for 2026"), Some(2026));
        assert_eq!(year_of("from 2026 to 2027"), None);
    }
}
