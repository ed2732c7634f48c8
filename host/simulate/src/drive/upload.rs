//! `POST /upload/drive/v3/files`: multipart (metadata, then media) and plain media.

use super::{
    Caller, Parameters,
    error::DriveError,
    files::{Metadata, place},
};
use crate::world::World;
use axum::{extract::State as Shared, response::Response};
use bytes::Bytes;
use http::{HeaderMap, header};
use std::sync::Arc;

pub(crate) async fn create(
    Shared(world): Shared<Arc<World>>,
    caller: Caller,
    parameters: Parameters,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, DriveError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match parameters.get("uploadType") {
        Some("media") => place(&world, &caller, &parameters, Metadata::default(), Some((kind.to_owned(), body))),
        Some("multipart") => {
            let malformed = || DriveError::new(400, "badContent", "Malformed multipart body.");
            let parts = parts(kind, &body).ok_or_else(malformed)?;
            let [(_, metadata), media] = <[_; 2]>::try_from(parts).map_err(|_| malformed())?;
            let parse = |_| DriveError::new(400, "parseError", "Parse Error");
            let metadata = serde_json::from_slice(&metadata).map_err(parse)?;
            place(&world, &caller, &parameters, metadata, Some(media))
        }
        _ => Err(DriveError::invalid("uploadType")),
    }
}

/// Content type and bytes of each part. Google takes `multipart/form-data` as well as `multipart/related`.
fn parts(kind: &str, body: &Bytes) -> Option<Vec<(String, Bytes)>> {
    let boundary =
        kind.strip_prefix("multipart/")?.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?;
    let fence = format!("--{}", boundary.trim_matches('"'));
    let mut at = find(body, fence.as_bytes(), 0)? + fence.len();
    let mut parts = Vec::new();
    while !body[at..].starts_with(b"--") {
        let next = find(body, format!("\r\n{fence}").as_bytes(), at)?;
        let part = body.slice(at..next);
        let end = find(&part, b"\r\n\r\n", 0)?;
        let head = String::from_utf8_lossy(&part[..end]).into_owned();
        let kind = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        parts.push((kind.map(|(_, kind)| kind.trim().to_owned()).unwrap_or_default(), part.slice(end + 4..)));
        at = next + 2 + fence.len();
    }
    Some(parts)
}

fn find(bytes: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    bytes.get(from..)?.windows(wanted.len()).position(|window| window == wanted).map(|at| at + from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_split_at_the_boundary() {
        let body = "--b\r\nContent-Type: application/json\r\n\r\n{}\r\n--b\r\nContent-Type: text/markdown\r\n\r\n# a\r\n\r\nb\r\n--b--\r\n";
        let parts = parts("multipart/related; boundary=\"b\"", &Bytes::from(body)).expect("two parts");
        assert_eq!(parts[0], ("application/json".to_owned(), Bytes::from("{}")));
        assert_eq!(parts[1].1, "# a\r\n\r\nb");
        assert!(super::parts("multipart/related; boundary=x", &Bytes::from(body)).is_none());
    }
}
