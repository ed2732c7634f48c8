//! The one clock of a simulation. It can be moved forward, so that expiry is tested without sleeping.

use std::sync::atomic::{AtomicI64, Ordering};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

/// Wall time plus an offset that only grows.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    offset_ms: AtomicI64,
}

impl Clock {
    pub(crate) fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + Duration::milliseconds(self.offset_ms.load(Ordering::Relaxed))
    }

    pub(crate) fn advance(&self, by: std::time::Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4);
        self.offset_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

/// Milliseconds since the Unix epoch.
pub(crate) fn unix_ms(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// `2026-10-01T09:30:00.000Z`: the form that both Drive and Trello print.
pub(crate) fn stamp(at: OffsetDateTime) -> String {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    at.to_offset(time::UtcOffset::UTC).format(form).unwrap_or_default()
}

/// Reads a date or a date-time as people write them: RFC 3339, `2026-10-01`, `2026-10-01 09:30`, `2026-10-01 01:59:00 UTC`.
pub(crate) fn parse(text: &str) -> Option<OffsetDateTime> {
    let text = text.trim();
    if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
        return Some(at);
    }
    let plain = text.strip_suffix(" UTC").or_else(|| text.strip_suffix('Z')).unwrap_or(text).replacen('T', " ", 1);
    let (day, hour) = plain.split_once(' ').unwrap_or((&plain, "00:00:00"));
    let hour = if hour.matches(':').count() == 1 { format!("{hour}:00") } else { hour.to_owned() };
    OffsetDateTime::parse(&format!("{day}T{hour}Z"), &Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_people_write_them() {
        for text in [
            "2026-10-01",
            "2026-10-01T00:00:00Z",
            "2026-10-01 00:00",
            "2026-10-01 00:00:00 UTC",
            "2026-10-01T00:00:00.000Z",
        ] {
            assert_eq!(parse(text).map(stamp).as_deref(), Some("2026-10-01T00:00:00.000Z"), "{text}");
        }
        assert_eq!(parse("next week"), None);
        assert_eq!(parse("2026-13-01"), None);
    }
}
