//! `multipart/form-data` (RFC 7578), encoded by the host.

use bytes::Bytes;

use super::error::Refusal;
use super::request::Part;

/// Encodes parts; the same parts give the same bytes, so that what was approved is what is sent. Answers the body and its
/// `content-type`.
pub(super) fn encode(parts: &[Part]) -> Result<(Bytes, String), Refusal> {
    let mut hash = blake3::Hasher::new();
    for part in parts {
        for piece in [part.name.as_bytes(), part.filename.as_deref().unwrap_or("").as_bytes(), &part.body] {
            hash.update(&(piece.len() as u64).to_le_bytes());
            hash.update(piece);
        }
    }
    // 128 bits that follow from the content: no content can hold its own boundary on purpose.
    let boundary = format!("sallyport-{}", &hash.finalize().to_hex()[..32]);
    let mut body = Vec::new();
    for part in parts {
        let name = quoted("name", &part.name)?;
        body.extend(format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"").bytes());
        if let Some(filename) = &part.filename {
            body.extend(format!("; filename=\"{}\"", quoted("filename", filename)?).bytes());
        }
        if let Some(media_type) = &part.media_type {
            let plain = !media_type.is_empty() && media_type.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
            if !plain {
                return Err(Refusal::Malformed("a part's media type is not printable ASCII".to_owned()));
            }
            body.extend(format!("\r\ncontent-type: {media_type}").bytes());
        }
        body.extend(b"\r\n\r\n");
        body.extend(&part.body);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{boundary}--\r\n").bytes());
    Ok((Bytes::from(body), format!("multipart/form-data; boundary={boundary}")))
}

/// As browsers write it (WHATWG HTML, "multipart form data"): quotes and line ends percent-encoded. Control characters
/// are refused.
fn quoted(what: &str, text: &str) -> Result<String, Refusal> {
    if text.chars().any(|c| c.is_control()) {
        return Err(Refusal::Malformed(format!("a part's {what} holds control characters")));
    }
    Ok(text.replace('"', "%22"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, filename: Option<&str>, media_type: Option<&str>, body: &'static str) -> Part {
        Part {
            name: name.into(),
            filename: filename.map(Into::into),
            media_type: media_type.map(Into::into),
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    #[test]
    fn parts_are_framed_and_the_same_parts_give_the_same_bytes() {
        let parts = [part("a", None, None, "1"), part("f", Some("x\".txt"), Some("text/plain"), "--sallyport")];
        let (body, media_type) = encode(&parts).expect("parts");
        let boundary = media_type.split_once("boundary=").expect("a boundary").1;
        let want = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1\r\n--{boundary}\r\ncontent-disposition: \
             form-data; name=\"f\"; filename=\"x%22.txt\"\r\ncontent-type: text/plain\r\n\r\n--sallyport\r\n--{boundary}--\r\n"
        );
        assert_eq!(body, want.as_bytes());
        assert_eq!(encode(&parts).expect("parts"), (body, media_type));
    }

    #[test]
    fn nothing_can_be_smuggled_between_parts() {
        for bad in [
            part("a\r\nb", None, None, ""),
            part("a", Some("x\ny"), None, ""),
            part("a", None, Some("text/plain\r\nx: y"), ""),
            part("a", None, Some(""), ""),
        ] {
            assert!(encode(&[bad]).is_err());
        }
    }
}
