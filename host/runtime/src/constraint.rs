//! What bounds a grant, as people write it: `containers=ID,ID`, `audience<=WHO`, `writes<=N/day`, `until=DATE`.
//!
//! One text for the command line, the HTTP API and what a refusal proposes: what is printed can be typed again.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use crate::connection::Constraints;
use crate::ids::Timestamp;

/// A day, in milliseconds.
const DAY: u64 = 24 * 60 * 60 * 1000;
/// The end of the last day that RFC 3339 can write.
const LAST: u64 = 253_402_300_800_000;
/// Containers above each other beyond this are not followed.
const DEEPEST: usize = 64;

/// One bound on everything that a grant allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// The containers, by the source's ids. Documents in them and under them are kept; these very ones are written to.
    Containers(Vec<String>),
    /// Beyond whom nobody finds anything: `anyone`, `connection-audience`, `domain:x`, or an address.
    Audience(String),
    /// Writes in any 24 hours, over all invocations.
    Writes(u32),
    /// From then on nothing is granted.
    Until(Timestamp),
}

/// Which bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConstraintName {
    /// [`Constraint::Containers`]
    Containers,
    /// [`Constraint::Audience`]
    Audience,
    /// [`Constraint::Writes`]
    Writes,
    /// [`Constraint::Until`]
    Until,
}

/// Why a text is no constraint. Whoever wrote it mends it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadConstraint {
    /// It begins with no constraint's name.
    #[error("{0:?} is no constraint: there are containers=ID,ID, audience<=WHO, writes<=N/day and until=DATE")]
    Unknown(String),
    /// The name is not followed by its sign and a value.
    #[error("{text:?} is not whole: write {form}")]
    Form {
        /// What was given.
        text: String,
        /// How it is written.
        form: &'static str,
    },
    /// A container's id that is none.
    #[error(
        "{0:?} is no container's id: write ids with commas between them, and a comma, a space or a % in one as %2C, %20, %25"
    )]
    Container(String),
    /// No audience.
    #[error("{0:?} is no audience: write anyone, connection-audience, domain:example.com or an e-mail address")]
    Audience(String),
    /// No number of writes.
    #[error("{0:?} is no number of writes: write a whole number a day, as writes<=20/day")]
    Writes(String),
    /// No date.
    #[error("{0:?} is no date: write until=2027-01-31 (to its end, in UTC) or until=2027-01-31T18:00:00Z")]
    Until(String),
    /// Two of one name.
    #[error("{0} stands twice: write it once")]
    Twice(ConstraintName),
}

impl ConstraintName {
    const ALL: [Self; 4] = [Self::Containers, Self::Audience, Self::Writes, Self::Until];

    fn as_str(self) -> &'static str {
        match self {
            Self::Containers => "containers",
            Self::Audience => "audience",
            Self::Writes => "writes",
            Self::Until => "until",
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Self::Containers | Self::Until => "=",
            Self::Audience | Self::Writes => "<=",
        }
    }

    fn form(self) -> &'static str {
        match self {
            Self::Containers => "containers=ID,ID",
            Self::Audience => "audience<=domain:example.com",
            Self::Writes => "writes<=20/day",
            Self::Until => "until=2027-01-31",
        }
    }
}

impl fmt::Display for ConstraintName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ConstraintName {
    type Err = BadConstraint;

    fn from_str(text: &str) -> Result<Self, BadConstraint> {
        Self::ALL.into_iter().find(|name| name.as_str() == text).ok_or_else(|| BadConstraint::Unknown(text.into()))
    }
}

impl FromStr for Constraint {
    type Err = BadConstraint;

    fn from_str(text: &str) -> Result<Self, BadConstraint> {
        let end = text.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let name: ConstraintName = name.parse().map_err(|_| BadConstraint::Unknown(text.into()))?;
        let value = rest.strip_prefix(name.sign()).filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| BadConstraint::Form { text: text.into(), form: name.form() })?;
        match name {
            ConstraintName::Containers => {
                let mut ids = Vec::new();
                for id in value.split(',').map(container) {
                    let id = id?;
                    if !ids.contains(&id) {
                        ids.push(id);
                    }
                }
                Ok(Self::Containers(ids))
            }
            ConstraintName::Audience => audience(value).map(Self::Audience),
            ConstraintName::Writes => writes(value).map(Self::Writes),
            ConstraintName::Until => until(value).map(Self::Until),
        }
    }
}

/// An id, with `%XX` for what the grammar uses itself.
fn container(text: &str) -> Result<String, BadConstraint> {
    let bad = || BadConstraint::Container(text.into());
    if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(bad());
    }
    let escapes = text.split('%').skip(1);
    let are_whole = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    if !escapes.clone().all(are_whole) {
        return Err(bad());
    }
    let id = percent_encoding::percent_decode_str(text).decode_utf8().map_err(|_| bad())?;
    Ok(id.into_owned())
}

fn audience(text: &str) -> Result<String, BadConstraint> {
    let bad = || BadConstraint::Audience(text.into());
    let is_host = |host: &str| {
        let label = |label: &str| {
            !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-') && !label.starts_with('-')
        };
        host.split('.').all(label)
    };
    if matches!(text, "anyone" | "connection-audience") {
        return Ok(text.into());
    }
    let fits = match (text.strip_prefix("domain:"), text.rsplit_once('@')) {
        (Some(domain), _) => is_host(domain),
        (None, Some((name, host))) => {
            let fits = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '@' | ',' | ':');
            !name.is_empty() && name.chars().all(fits) && is_host(host)
        }
        (None, None) => false,
    };
    if fits { Ok(text.to_lowercase()) } else { Err(bad()) }
}

fn writes(text: &str) -> Result<u32, BadConstraint> {
    let number = text.strip_suffix("/day").and_then(|number| {
        let plain = number.bytes().all(|byte| byte.is_ascii_digit()) && (number == "0" || !number.starts_with('0'));
        number.parse().ok().filter(|_| plain)
    });
    number.ok_or_else(|| BadConstraint::Writes(text.into()))
}

/// A day counts to its end.
fn until(text: &str) -> Result<Timestamp, BadConstraint> {
    let bad = || BadConstraint::Until(text.into());
    let is_date = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if is_date {
        let date = Date::parse(text, format_description!("[year]-[month]-[day]")).map_err(|_| bad())?;
        let begins = date.midnight().assume_utc().unix_timestamp();
        let begins = u64::try_from(begins).map_err(|_| bad())?;
        return Ok(Timestamp(begins * 1000 + DAY));
    }
    let at = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| bad())?;
    let millis = u64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).map_err(|_| bad())?;
    Ok(Timestamp(millis))
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        write!(f, "{name}{}", name.sign())?;
        match self {
            Self::Containers(ids) => {
                let ids: Vec<String> = ids.iter().map(|id| escaped(id)).collect();
                f.write_str(&ids.join(","))
            }
            Self::Audience(who) => f.write_str(who),
            Self::Writes(most) => write!(f, "{most}/day"),
            Self::Until(at) => f.write_str(&date(*at)),
        }
    }
}

fn escaped(id: &str) -> String {
    let mut text = String::with_capacity(id.len());
    for c in id.chars() {
        if c.is_whitespace() || c.is_control() || matches!(c, ',' | '%') {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().for_each(|byte| text.push_str(&format!("%{byte:02X}")));
        } else {
            text.push(c);
        }
    }
    text
}

fn date(at: Timestamp) -> String {
    let millis = at.0.min(LAST);
    let whole_day = millis >= DAY && millis.is_multiple_of(DAY);
    let shown = if whole_day { millis - DAY } else { millis };
    let shown = OffsetDateTime::from_unix_timestamp_nanos(i128::from(shown) * 1_000_000)
        .expect("what is before the end of the year 9999 is a date");
    let text = if whole_day {
        shown.date().format(format_description!("[year]-[month]-[day]"))
    } else {
        shown.format(&Rfc3339)
    };
    text.expect("a date of four digits has both forms")
}

impl Constraint {
    /// Which it is.
    #[must_use]
    pub fn name(&self) -> ConstraintName {
        match self {
            Self::Containers(_) => ConstraintName::Containers,
            Self::Audience(_) => ConstraintName::Audience,
            Self::Writes(_) => ConstraintName::Writes,
            Self::Until(_) => ConstraintName::Until,
        }
    }

    /// What it means, in a sentence for the person who consents.
    #[must_use]
    pub fn meaning(&self) -> String {
        match self {
            Self::Containers(ids) => format!(
                "only documents in {} or under them are kept, and writes go only to these or into what the call made",
                ids.join(", ")
            ),
            Self::Audience(who) => match who.as_str() {
                "anyone" => "whoever the service lets read finds it".into(),
                "connection-audience" => "nobody beyond the connection's own audience finds anything of it".into(),
                who => match who.strip_prefix("domain:") {
                    Some(domain) => format!("nobody without a verified address at {domain} finds anything of it"),
                    None => format!("nobody but {who} finds anything of it"),
                },
            },
            Self::Writes(most) => format!("at most {most} writes in any 24 hours, over all calls"),
            Self::Until(at) => {
                let end = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0.min(LAST - 1)) * 1_000_000)
                    .expect("what is before the end of the year 9999 is a date");
                let end = end.format(&Rfc3339).expect("a date of four digits has this form");
                format!("from {end} on nothing is granted")
            }
        }
    }
}

impl Constraints {
    /// Reads constraints, each at most once.
    ///
    /// # Errors
    /// [`BadConstraint`] says how it is written.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, BadConstraint> {
        let mut constraints = Self::default();
        let mut names = HashSet::new();
        for text in texts {
            let constraint: Constraint = text.parse()?;
            if !names.insert(constraint.name()) {
                return Err(BadConstraint::Twice(constraint.name()));
            }
            constraints.set(constraint);
        }
        Ok(constraints)
    }

    /// Those that are set, in the order of the grammar.
    #[must_use]
    pub fn all(&self) -> Vec<Constraint> {
        let containers = self.containers.clone().map(Constraint::Containers);
        let audience = self.audience_ceiling.clone().map(Constraint::Audience);
        let writes = self.writes_per_day.map(Constraint::Writes);
        let until = self.expires.map(Constraint::Until);
        [containers, audience, writes, until].into_iter().flatten().collect()
    }

    /// Sets one, in place of what there was of its name.
    pub fn set(&mut self, constraint: Constraint) {
        match constraint {
            Constraint::Containers(ids) => self.containers = Some(ids),
            Constraint::Audience(who) => self.audience_ceiling = Some(who),
            Constraint::Writes(most) => self.writes_per_day = Some(most),
            Constraint::Until(at) => self.expires = Some(at),
        }
    }

    /// Whether documents may be kept that were not under the containers of the grant before: then everything has to be
    /// listed again, since what was not kept is not told again by itself.
    #[must_use]
    pub fn may_keep_more_than(&self, before: Option<&[String]>) -> bool {
        match (before, &self.containers) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(before), Some(now)) => now.iter().any(|id| !before.contains(id)),
        }
    }

    /// Takes one back.
    pub fn clear(&mut self, name: ConstraintName) {
        match name {
            ConstraintName::Containers => self.containers = None,
            ConstraintName::Audience => self.audience_ceiling = None,
            ConstraintName::Writes => self.writes_per_day = None,
            ConstraintName::Until => self.expires = None,
        }
    }
}

/// Since when writes count against [`Constraint::Writes`].
#[must_use]
pub fn day_before(now: Timestamp) -> Timestamp {
    Timestamp(now.0.saturating_sub(DAY))
}

/// Whether `from` is one of the allowed containers or under one. `parent` tells what holds a container, `None` where
/// nothing does or nobody knows; a circle is under nothing.
///
/// # Errors
/// Those of `parent`.
pub fn is_within<E>(
    allowed: &[String],
    from: Option<&str>,
    mut parent: impl FnMut(&str) -> Result<Option<String>, E>,
) -> Result<bool, E> {
    let mut next = from.map(str::to_owned);
    let mut seen = HashSet::new();
    while let Some(id) = next.take() {
        if allowed.contains(&id) {
            return Ok(true);
        }
        if seen.len() < DEEPEST && seen.insert(id.clone()) {
            next = parent(&id)?;
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    fn parse(text: &str) -> Result<Constraint, String> {
        text.parse().map_err(|error: BadConstraint| error.to_string())
    }

    #[test]
    fn what_is_printed_is_what_was_written() {
        let table = [
            ("containers=B1", Constraint::Containers(vec!["B1".into()])),
            ("containers=B1,a%2Cb,50%25", Constraint::Containers(vec!["B1".into(), "a,b".into(), "50%".into()])),
            ("audience<=anyone", Constraint::Audience("anyone".into())),
            ("audience<=connection-audience", Constraint::Audience("connection-audience".into())),
            ("audience<=domain:larkfield.example", Constraint::Audience("domain:larkfield.example".into())),
            ("audience<=ben@larkfield.example", Constraint::Audience("ben@larkfield.example".into())),
            ("writes<=0/day", Constraint::Writes(0)),
            ("writes<=20/day", Constraint::Writes(20)),
            ("until=2027-01-31", Constraint::Until(Timestamp(1_801_440_000_000))),
            ("until=9999-12-31", Constraint::Until(Timestamp(LAST))),
            ("until=2027-01-31T18:00:00.25Z", Constraint::Until(Timestamp(1_801_418_400_250))),
        ];
        for (text, constraint) in table {
            assert_eq!(parse(text).as_ref(), Ok(&constraint), "{text}");
            assert_eq!(constraint.to_string(), text);
            assert!(!constraint.meaning().is_empty());
        }
        for (text, same) in [
            ("containers=a,a,b", "containers=a,b"),
            ("audience<=domain:Larkfield.Example", "audience<=domain:larkfield.example"),
            ("until=2027-02-01T00:00:00Z", "until=2027-01-31"),
            ("until=2027-01-31T19:00:00+01:00", "until=2027-01-31T18:00:00Z"),
        ] {
            assert_eq!(parse(text).map(|constraint| constraint.to_string()).as_deref(), Ok(same));
        }
    }

    #[test]
    fn what_is_no_constraint_is_refused_and_the_refusal_says_how_to_write_it() {
        let table = [
            ("", "there are containers=ID,ID"),
            ("write<=3/day", "there are containers=ID,ID"),
            ("Writes<=3/day", "there are containers=ID,ID"),
            (" writes<=3/day", "there are containers=ID,ID"),
            ("writes", "write writes<=20/day"),
            ("writes=3/day", "write writes<=20/day"),
            ("writes<=", "write writes<=20/day"),
            ("writes<=3", "a whole number a day"),
            ("writes<=-3/day", "a whole number a day"),
            ("writes<=+3/day", "a whole number a day"),
            ("writes<=03/day", "a whole number a day"),
            ("writes<=3/week", "a whole number a day"),
            ("writes<=4294967296/day", "a whole number a day"),
            ("containers=", "write containers=ID,ID"),
            ("containers<=a", "write containers=ID,ID"),
            ("containers=a,,b", "with commas between them"),
            ("containers=a, b", "with commas between them"),
            ("containers=50%", "with commas between them"),
            ("containers=%ff", "with commas between them"),
            ("audience<=org:larkfield.example", "domain:example.com"),
            ("audience<=larkfield.example", "domain:example.com"),
            ("audience<=domain:", "domain:example.com"),
            ("audience<=domain:a..b", "domain:example.com"),
            ("audience<=ben@", "domain:example.com"),
            ("audience<=a@b@c.d", "domain:example.com"),
            ("audience=anyone", "write audience<=domain:example.com"),
            ("until=tomorrow", "until=2027-01-31"),
            ("until=2027-02-29", "until=2027-01-31"),
            ("until=2027-1-31", "until=2027-01-31"),
            ("until=2027-01-31T18:00:00", "until=2027-01-31"),
            ("until=1969-12-31", "until=2027-01-31"),
        ];
        for (text, says) in table {
            let error = parse(text).expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
        let twice = Constraints::parse(["writes<=3/day", "writes<=4/day"]).expect_err("twice");
        assert_eq!(twice.to_string(), "writes stands twice: write it once");
    }

    #[test]
    fn constraints_made_at_random_are_read_back_as_they_were() {
        let mut dice = StdRng::seed_from_u64(7);
        let letters: Vec<char> = "aZ09-_.,% \t\u{e9}\u{1f600}=<%/:@\u{7f}".chars().collect();
        for _ in 0..2_000 {
            let mut constraints = Constraints::default();
            if dice.random_bool(0.5) {
                let id = |dice: &mut StdRng| -> String {
                    let length = dice.random_range(1..8);
                    (0..length).map(|_| letters[dice.random_range(0..letters.len())]).collect()
                };
                let mut ids: Vec<String> = (0..dice.random_range(1..4)).map(|_| id(&mut dice)).collect();
                ids.sort();
                ids.dedup();
                constraints.containers = Some(ids);
            }
            if dice.random_bool(0.5) {
                let all = ["anyone", "connection-audience", "domain:a-b.example", "x.y+z@a.example"];
                constraints.audience_ceiling = Some(all[dice.random_range(0..all.len())].into());
            }
            constraints.writes_per_day = dice.random_bool(0.5).then(|| dice.random());
            constraints.expires = dice.random_bool(0.5).then(|| Timestamp(dice.random_range(0..=LAST)));
            let texts: Vec<String> = constraints.all().iter().map(ToString::to_string).collect();
            assert_eq!(Constraints::parse(texts.iter().map(String::as_str)), Ok(constraints), "{texts:?}");
        }
    }

    #[test]
    fn what_is_under_an_allowed_container_is_within_and_a_circle_is_not() {
        let parent = |id: &str| -> Result<Option<String>, ()> {
            Ok(match id {
                "list" => Some("board".into()),
                "board" => Some("team".into()),
                "a" => Some("b".into()),
                "b" => Some("a".into()),
                _ => None,
            })
        };
        let within = |from| is_within(&["board".into()], from, parent) == Ok(true);
        assert!(within(Some("board")) && within(Some("list")));
        assert!(!within(Some("team")) && !within(Some("a")) && !within(Some("nowhere")) && !within(None));
    }
}
