//! Requests and answers as they are kept in a record. Version 1: a version byte, the length of a JSON head (u32, little
//! endian), the head, then the bodies one after the other; the head says how long each is.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::egress::{Body, Delivery, Request};
use crate::host::{Answer, Failed, Got};
use crate::recording::{Asked, Content, Part};

const VERSION: u8 = 1;
/// Bytes of most heads.
const HEAD: usize = 512;

/// Reads [`request`]; `None` if it is of another version, or none.
pub(crate) fn read_request(bytes: &[u8]) -> Option<Asked> {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum BodyHead {
        Empty,
        Bytes(usize),
        Multipart(Vec<(String, Option<String>, Option<String>, usize)>),
    }
    #[derive(Deserialize)]
    struct Head {
        method: String,
        url: String,
        headers: Vec<(String, String)>,
        slot: Option<String>,
        blob: bool,
        body: BodyHead,
    }
    let (version, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (head, mut rest) = rest.split_at_checked(length)?;
    if *version != VERSION {
        return None;
    }
    let Head { method, url, headers, slot, blob, body } = serde_json::from_slice(head).ok()?;
    let mut take = |length: usize| {
        let (own, after) = rest.split_at_checked(length)?;
        rest = after;
        Some(Content::of(own))
    };
    let body = match body {
        BodyHead::Empty => Content::Empty,
        BodyHead::Bytes(length) => take(length)?,
        BodyHead::Multipart(parts) => {
            let part =
                |(name, filename, media_type, length)| Some(Part { name, filename, media_type, body: take(length)? });
            Content::Multipart(parts.into_iter().map(part).collect::<Option<_>>()?)
        }
    };
    Some(Asked { method, url, headers, slot, blob, body, canonical: false })
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum BodyHead<'a> {
    Empty,
    Bytes(usize),
    Multipart(Vec<(&'a str, Option<&'a str>, Option<&'a str>, usize)>),
}

/// What a guest asked for, so that two requests are equal exactly if their bytes are.
pub(crate) fn request(request: &Request) -> Vec<u8> {
    #[derive(Serialize)]
    struct Head<'a> {
        method: &'a str,
        url: &'a str,
        headers: &'a [(String, String)],
        slot: Option<&'a str>,
        blob: bool,
        body: BodyHead<'a>,
    }
    let (body, bodies): (BodyHead<'_>, Vec<&[u8]>) = match &request.body {
        Body::Empty => (BodyHead::Empty, Vec::new()),
        Body::Bytes(bytes) => (BodyHead::Bytes(bytes.len()), vec![bytes]),
        Body::Multipart(parts) => (
            BodyHead::Multipart(
                parts
                    .iter()
                    .map(|part| {
                        (part.name.as_str(), part.filename.as_deref(), part.media_type.as_deref(), part.body.len())
                    })
                    .collect(),
            ),
            parts.iter().map(|part| &part.body[..]).collect(),
        ),
    };
    let head = Head {
        method: &request.method,
        url: &request.url,
        headers: &request.headers,
        slot: request.slot.as_deref(),
        blob: request.delivery == Delivery::Blob,
        body,
    };
    frame(&head, &bodies)
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum AnswerHead {
    Got(Got),
    Failed(Failed),
}

/// What it was told.
pub(crate) fn answer(answer: &Answer) -> Vec<u8> {
    match answer {
        Ok(got) => frame(&AnswerHead::Got(got.clone()), &[&got.body]),
        Err(failed) => frame(&AnswerHead::Failed(failed.clone()), &[]),
    }
}

/// Reads [`answer`]; `None` if it is of another version, or none.
pub(crate) fn read_answer(bytes: Vec<u8>) -> Option<Answer> {
    let bytes = Bytes::from(bytes);
    let (version, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (head, _) = rest.split_at_checked(length)?;
    if *version != VERSION {
        return None;
    }
    Some(match serde_json::from_slice(head).ok()? {
        AnswerHead::Got(got) => Ok(Got { body: bytes.slice(5 + length..), ..got }),
        AnswerHead::Failed(failed) => Err(failed),
    })
}

fn frame(head: &impl Serialize, bodies: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + bodies.iter().map(|body| body.len()).sum::<usize>());
    bytes.extend([VERSION, 0, 0, 0, 0]);
    serde_json::to_writer(&mut bytes, head).expect("heads have string keys and no value that JSON lacks");
    let length = u32::try_from(bytes.len() - 5).expect("a head comes from one host call, which takes 8 MiB");
    bytes[1..5].copy_from_slice(&length.to_le_bytes());
    bodies.iter().for_each(|body| bytes.extend_from_slice(body));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_it_was_kept() {
        let got =
            Got { status: 200, headers: vec![("etag".into(), "\"1\"".into())], body: Bytes::from_static(b"\x00{}") };
        for kept in [Ok(got), Err(Failed::Throttled(3)), Err(Failed::denied("no-route", "add it"))] {
            assert_eq!(read_answer(answer(&kept)), Some(kept));
        }
        for broken in [&b""[..], b"\x02\0\0\0\0", b"\x01\xff\xff\xff\xff{}", b"\x01\x02\0\0\0{}"] {
            assert_eq!(read_answer(broken.to_vec()), None);
        }
    }

    #[test]
    fn an_answer_of_version_1_is_read_for_ever() {
        let mut kept = vec![1, 57, 0, 0, 0];
        kept.extend(br#"{"got":{"status":201,"headers":[["x-request-id","r1"]]}} "#);
        kept.extend(b"{\"id\":\"b1\"}");
        let answer = read_answer(kept).expect("version 1").expect("an answer");
        assert_eq!((answer.status, &answer.body[..]), (201, &b"{\"id\":\"b1\"}"[..]));
    }

    #[test]
    fn no_two_requests_have_the_same_bytes() {
        let part = |name: &str, body: &'static [u8]| crate::egress::Part {
            name: name.into(),
            filename: None,
            media_type: None,
            body: Bytes::from_static(body),
        };
        let of = |body: Body| {
            request(&Request {
                method: "POST".into(),
                url: "https://a.example/x".into(),
                headers: Vec::new(),
                body,
                slot: None,
                delivery: Delivery::Inline,
                most: None,
            })
        };
        let all = [
            of(Body::Empty),
            of(Body::Bytes(Bytes::new())),
            of(Body::Bytes(Bytes::from_static(b"ab"))),
            of(Body::Multipart(vec![part("x", b"a"), part("y", b"b")])),
            of(Body::Multipart(vec![part("x", b"ab"), part("y", b"")])),
        ];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
