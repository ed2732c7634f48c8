//! What a provider's answer means, where the HTTP status alone does not say.

use sallyport_pack::manifest::{Answer, AnswerCode, Manifest};
use serde_json::Value;

use crate::ids::OriginName;

/// What an answer says, as the manifest's `[[answer]]` lists it. Each also says that no effect took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Meaning {
    /// The access token has ended: refresh it and ask again.
    Refresh,
    /// The authorisation is gone.
    Reauth,
    /// Too many requests.
    RateLimited,
    /// The account lacks a right.
    Forbidden,
    /// Absent or unseeable.
    NotFound,
}

/// What an answer from `origin` means. What no `[[answer]]` speaks of is read from the status: 401 is [`Meaning::Refresh`],
/// 429 [`Meaning::RateLimited`], anything else nothing.
#[must_use]
pub fn meaning(manifest: &Manifest, origin: &OriginName, status: u16, body: &[u8]) -> Option<Meaning> {
    let mut json = None;
    let mut spoken_of = false;
    for answer in manifest.answers.iter().filter(|answer| answer.origins.contains(origin)) {
        let when = &answer.when;
        if !when.status.is_empty() && !when.status.contains(&status) {
            continue;
        }
        let needs_json = when.condition.is_some() || matches!(when.code, AnswerCode::Pointer(_));
        if needs_json && json.is_none() {
            json = Some(serde_json::from_slice::<Value>(body).unwrap_or(Value::Null));
        }
        let value = json.as_ref().unwrap_or(&Value::Null);
        if when
            .condition
            .as_ref()
            .is_some_and(|is| !is.pointer.find(value).is_some_and(|found| is.equals.equals(found)))
        {
            continue;
        }
        let code = match &when.code {
            AnswerCode::Pointer(pointer) => match pointer.find(value) {
                Some(Value::String(text)) => Some(text.clone()),
                Some(number @ Value::Number(_)) => Some(number.to_string()),
                _ => None,
            },
            AnswerCode::Text => std::str::from_utf8(body).ok().map(|text| text.trim().to_owned()),
        };
        let Some(code) = code else { continue };
        spoken_of = true;
        if let Some(meaning) = listed(answer, &code) {
            return Some(meaning);
        }
    }
    match status {
        429 => Some(Meaning::RateLimited),
        // Where the manifest says how this service words its refusals and this is none of them, it is the guest's to read.
        401 if !spoken_of => Some(Meaning::Refresh),
        _ => None,
    }
}

fn listed(answer: &Answer, code: &str) -> Option<Meaning> {
    // A sentence may or may not end with a full stop, and begin with a capital.
    let plain = |text: &str| text.trim_end_matches('.').to_ascii_lowercase();
    let code = plain(code);
    [
        (&answer.refresh, Meaning::Refresh),
        (&answer.reauth, Meaning::Reauth),
        (&answer.rate_limited, Meaning::RateLimited),
        (&answer.forbidden, Meaning::Forbidden),
        (&answer.not_found, Meaning::NotFound),
    ]
    .into_iter()
    .find(|(codes, _)| codes.iter().any(|own| plain(own) == code))
    .map(|(_, meaning)| meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest::from_toml(crate::fixtures::MANIFEST).expect("the test manifest")
    }

    #[test]
    fn an_answer_means_what_the_manifest_lists() {
        let manifest = manifest();
        let api = OriginName::new("api").expect("a name");
        let table: &[(u16, &str, Option<Meaning>)] = &[
            (403, r#"{"error":{"errors":[{"reason":"rateLimitExceeded"}]}}"#, Some(Meaning::RateLimited)),
            (403, r#"{"error":{"errors":[{"reason":"insufficientFilePermissions"}]}}"#, Some(Meaning::Forbidden)),
            (403, r#"{"error":{"errors":[{"reason":"somethingElse"}]}}"#, None),
            (401, r#"{"error":{"errors":[{"reason":"authError"}]}}"#, Some(Meaning::Refresh)),
            (401, r#"{"error":{"errors":[{"reason":"somethingElse"}]}}"#, None),
            (401, "invalid token\n", Some(Meaning::Reauth)),
            (404, "The requested resource was not found.", Some(Meaning::NotFound)),
            (404, "the requested resource was not found", Some(Meaning::NotFound)),
            (200, r#"{"ok":false,"error":"ratelimited"}"#, Some(Meaning::RateLimited)),
            (200, r#"{"ok":true,"error":"ratelimited"}"#, None),
            (200, "invalid token", None),
            (429, "", Some(Meaning::RateLimited)),
            (500, "", None),
        ];
        for (status, body, want) in table {
            assert_eq!(meaning(&manifest, &api, *status, body.as_bytes()), *want, "{status} {body}");
        }
        let open = OriginName::new("open").expect("a name");
        assert_eq!(
            meaning(&manifest, &open, 401, b"invalid token"),
            Some(Meaning::Refresh),
            "nothing is said of this origin"
        );
    }
}
