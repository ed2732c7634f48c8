//! What a service says about its own quota, in the headers of an answer.

use http::HeaderMap;

/// A reset that is larger is a moment and no span: seconds since 1970 have been beyond this since 2001.
const MOMENT: u64 = 1_000_000_000;
/// And milliseconds since 1970 beyond this.
const MOMENT_MILLIS: u64 = 1_000_000_000_000;

/// How long nothing is left, in milliseconds, if the answer says that the last request of a quota was just used.
///
/// Services name their quotas in families of headers: `x-rate-limit-api-token-remaining` with `…-interval-ms` (Trello, in
/// its recorded answers), `x-ratelimit-remaining` with `…-reset`, which is a span in seconds or a moment in seconds
/// (GitHub's documentation), `ratelimit-remaining` with `ratelimit-reset` (draft-ietf-httpapi-ratelimit-headers-07).
/// A family that says no time says nothing. The longest of several counts.
pub(super) fn used_up(headers: &HeaderMap, now: u64) -> Option<u64> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let of = |name: &str| {
        let family = name.strip_suffix("-remaining")?;
        if !(family.contains("ratelimit") || family.contains("rate-limit")) || number(name)? > 0 {
            return None;
        }
        number(&format!("{family}-interval-ms")).or_else(|| {
            let reset = number(&format!("{family}-reset"))?;
            Some(match reset {
                MOMENT_MILLIS.. => reset.saturating_sub(now),
                MOMENT.. => reset.saturating_mul(1000).saturating_sub(now),
                _ => reset.saturating_mul(1000),
            })
        })
    };
    headers.keys().filter_map(|name| of(name.as_str())).max().filter(|millis| *millis > 0)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::used_up;

    const NOW: u64 = 1_800_000_000_000;

    fn says(headers: &[(&str, &str)]) -> Option<u64> {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect();
        used_up(&headers, NOW)
    }

    #[test]
    fn a_quota_that_is_used_up_says_for_how_long() {
        let trello = [
            ("x-rate-limit-api-key-interval-ms", "10000"),
            ("x-rate-limit-api-key-remaining", "0"),
            ("x-rate-limit-api-token-interval-ms", "20000"),
            ("x-rate-limit-api-token-remaining", "0"),
        ];
        assert_eq!(says(&trello), Some(20_000));
        assert_eq!(says(&trello[..2]), Some(10_000));
        assert_eq!(says(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1800000030")]), Some(30_000));
        assert_eq!(says(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1800000000500")]), Some(500));
        assert_eq!(says(&[("ratelimit-remaining", "0"), ("ratelimit-reset", "7")]), Some(7_000));
    }

    #[test]
    fn what_says_no_time_or_is_not_used_up_says_nothing() {
        assert_eq!(says(&[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "30")]), None);
        assert_eq!(says(&[("x-ratelimit-remaining", "0")]), None);
        assert_eq!(says(&[("x-ratelimit-remaining", "none"), ("x-ratelimit-reset", "30")]), None);
        assert_eq!(says(&[("x-pages-remaining", "0"), ("x-pages-reset", "30")]), None);
        assert_eq!(says(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1700000000")]), None, "it is over");
        assert_eq!(says(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "999999999999999999999")]), None);
    }
}
