//! Who made a connector file: an Ed25519 signature over all of it, in its last section.
//!
//! A connector's identity is its publisher's key and its id. The section holds its form (one byte), the public key (32
//! bytes) and the signature (64 bytes) over [`DOMAIN`] and the SHA-256 of every byte before the section. It is the file's
//! last, so that nothing is in a signed file that was not signed.

use std::{fmt, str::FromStr};

use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, KeypairBytes, spki::der::pem::LineEnding};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use zeroize::Zeroizing;

use crate::sealed::{self, FileError};

/// The custom section that holds the signature.
pub const SECTION: &str = "sallyport:signature";
/// The form of what is in it.
pub const FORM: u8 = 1;
/// What is signed before the digest: a signature for a connector is none for anything else.
const DOMAIN: &[u8] = b"sallyport connector signature 1\0";
/// Bytes of a key and of a signature.
const KEY: usize = 32;
const SIGNATURE: usize = 64;

/// A publisher's public key: who made a connector, as far as anybody can know. Written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Publisher([u8; KEY]);

/// Text that is no publisher.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no publisher: write its public key, 64 lower-case hex digits")]
pub struct BadPublisher(String);

impl fmt::Display for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Publisher({self})")
    }
}

impl FromStr for Publisher {
    type Err = BadPublisher;

    fn from_str(text: &str) -> Result<Self, BadPublisher> {
        let mut key = [0; KEY];
        let canonical = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        match hex::decode_to_slice(text, &mut key) {
            Ok(()) if canonical => Ok(Self(key)),
            _ => Err(BadPublisher(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Publisher {
    type Error = BadPublisher;

    fn try_from(text: String) -> Result<Self, BadPublisher> {
        text.parse()
    }
}

impl From<Publisher> for String {
    fn from(publisher: Publisher) -> Self {
        publisher.to_string()
    }
}

/// A publisher's private key. Its file is PKCS#8 in PEM, which `openssl genpkey -algorithm ed25519` writes as well.
// No `Debug`: it is a secret.
pub struct PublisherKey(SigningKey);

/// A file that holds no publisher's key. Nothing of what it holds is said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 private key in PKCS#8 PEM: `sallyport plugin key --out FILE` makes one")]
pub struct BadKey;

impl PublisherKey {
    /// The key of 32 random bytes.
    #[must_use]
    pub fn from_seed(seed: &[u8; KEY]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// [`BadKey`].
    pub fn from_pem(text: &str) -> Result<Self, BadKey> {
        SigningKey::from_pkcs8_pem(text).map(Self).map_err(|_| BadKey)
    }

    /// What a key file holds.
    ///
    /// # Errors
    /// [`BadKey`] if it cannot be encoded.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, BadKey> {
        // Without the public half, which version 1 of the form does not have: other programs read that one everywhere.
        let pair = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        pair.to_pkcs8_pem(LineEnding::LF).map_err(|_| BadKey)
    }

    /// The public half.
    #[must_use]
    pub fn publisher(&self) -> Publisher {
        Publisher(self.0.verifying_key().to_bytes())
    }
}

/// A file whose signature is not one. Whoever made the file signs it again; reading it again cannot help.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The file cannot be read as a component.
    #[error(transparent)]
    File(Box<FileError>),
    /// More than one: which one counts would be a matter of the reader.
    #[error("signed {0} times: sign it again")]
    SignedAgain(usize),
    /// Something stands after the signature, which nobody signed.
    #[error("{0} bytes stand after the signature: whoever added them is not its publisher; get the file again")]
    NotLast(usize),
    /// Signed by a later program.
    #[error("signed in form {found}, and this program reads form {FORM}: update sallyport")]
    NewerForm {
        /// The form in the file.
        found: u8,
    },
    /// Not what a signer writes.
    #[error("the signature's section is not of the form that a signer writes: sign it again")]
    Malformed,
    /// The signature is not this key's over these bytes.
    #[error("the signature of {publisher} does not fit the file, which was changed after it was signed: get it again")]
    Mismatch {
        /// Whose it claims to be.
        publisher: Publisher,
    },
}

/// Signs a connector file. A signature that it bears already is replaced; the same input gives the same bytes.
///
/// # Errors
/// [`FileError`]: it is no connector file, whoever would sign it.
pub fn sign(file: &[u8], key: &PublisherKey) -> Result<Vec<u8>, FileError> {
    let mut bytes = sealed::without(file, &[SECTION])?;
    sealed::read(&bytes)?;
    let signature = key.0.sign(&message(&bytes));
    append(&mut bytes, key.publisher(), &signature);
    Ok(bytes)
}

/// Whose signature a file bears; `None` if nobody signed it.
///
/// # Errors
/// [`SignatureError`]: there is a signature, and it is not one.
pub fn verify(file: &[u8]) -> Result<Option<Publisher>, SignatureError> {
    let sections = sealed::outermost(file).map_err(|error| SignatureError::File(Box::new(error)))?;
    let signatures: Vec<_> = sections.iter().filter(|section| section.name == Some(SECTION)).collect();
    let section = match signatures.as_slice() {
        [] => return Ok(None),
        [section] => *section,
        more => return Err(SignatureError::SignedAgain(more.len())),
    };
    if section.end != file.len() {
        return Err(SignatureError::NotLast(file.len() - section.end));
    }
    let (signed, section) = file.split_at(section.start);
    let (publisher, signature) = parts(section)?;
    let mismatch = SignatureError::Mismatch { publisher };
    let Ok(key) = VerifyingKey::from_bytes(&publisher.0) else { return Err(mismatch) };
    // Strict: without it, keys exist for which one signature fits many files.
    match key.verify_strict(&message(signed), &signature) {
        Ok(()) => Ok(Some(publisher)),
        Err(_) => Err(mismatch),
    }
}

/// Key and signature from the section's bytes, its header included.
fn parts(section: &[u8]) -> Result<(Publisher, Signature), SignatureError> {
    // Searched for by its name, so that a later form can say which one it is, however long it is.
    let name = section.windows(SECTION.len()).position(|window| window == SECTION.as_bytes());
    let content = name.map(|at| &section[at + SECTION.len()..]).unwrap_or_default();
    match content.first() {
        Some(&FORM) => {}
        Some(&found) if found > FORM => return Err(SignatureError::NewerForm { found }),
        _ => return Err(SignatureError::Malformed),
    }
    let Some((key, signature)) = content[1..].split_first_chunk::<KEY>() else { return Err(SignatureError::Malformed) };
    let Ok(signature) = <&[u8; SIGNATURE]>::try_from(signature) else { return Err(SignatureError::Malformed) };
    let (publisher, signature) = (Publisher(*key), Signature::from_bytes(signature));
    // The section itself is not signed: one way to write it leaves nothing in it to play with.
    let mut canonical = Vec::new();
    append(&mut canonical, publisher, &signature);
    if canonical == section { Ok((publisher, signature)) } else { Err(SignatureError::Malformed) }
}

fn message(signed: &[u8]) -> Vec<u8> {
    [DOMAIN, sha2::Sha256::digest(signed).as_slice()].concat()
}

fn append(bytes: &mut Vec<u8>, publisher: Publisher, signature: &Signature) {
    let content = [&[FORM][..], &publisher.0, &signature.to_bytes()].concat();
    let section = wasm_encoder::CustomSection { name: SECTION.into(), data: content.into() };
    wasm_encoder::ComponentSection::append_to_component(&section, bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sealed::Sealed;
    use crate::testing::{component, describe_all, google_drive};

    fn file() -> Vec<u8> {
        let manifest = google_drive();
        let exports = ["account", "sync", "tools"].map(|name| format!("sallyport:connector/{name}@0.1.0"));
        let exports: Vec<&str> = exports.iter().map(String::as_str).collect();
        let bare = component(&["sallyport:connector/http@0.1.0"], &exports);
        let tools = crate::describe::read(&describe_all(&manifest), &manifest).expect("descriptions");
        sealed::seal(&bare, &Sealed { manifest, tools, packer: "0.1.0".into() }).expect("sealed")
    }

    fn key(seed: u8) -> PublisherKey {
        PublisherKey::from_seed(&[seed; KEY])
    }

    #[test]
    fn a_signed_file_names_its_publisher_and_is_read_as_before() {
        let file = file();
        assert_eq!(verify(&file).expect("unsigned"), None);
        let signed = sign(&file, &key(1)).expect("signed");
        assert_eq!(verify(&signed).expect("verified"), Some(key(1).publisher()));
        assert!(signed.starts_with(&file), "a signature is appended, and changes nothing before it");
        assert!(wasmparser::Validator::new().validate_all(&signed).is_ok(), "it leaves a valid component");
        let (bare, read) = (sealed::read(&file).expect("read"), sealed::read(&signed).expect("read"));
        assert_eq!((read.publisher, bare.publisher), (Some(key(1).publisher()), None));
        assert_eq!((read.manifest, read.tools), (bare.manifest, bare.tools));
    }

    #[test]
    fn signing_again_replaces_and_sealing_again_takes_the_signature_off() {
        let (file, signed) = (file(), sign(&file(), &key(1)).expect("signed"));
        assert_eq!(sign(&file, &key(1)).expect("signed"), signed, "the same input, the same bytes");
        assert_eq!(sign(&sign(&file, &key(2)).expect("signed"), &key(1)).expect("signed again"), signed);
        let read = sealed::read(&signed).expect("read");
        let sealed = Sealed { manifest: read.manifest, tools: read.tools, packer: read.packer };
        assert_eq!(sealed::seal(&signed, &sealed).expect("sealed again"), file);
    }

    #[test]
    fn a_file_that_was_changed_after_it_was_signed_is_refused() {
        let (file, signed) = (file(), sign(&file(), &key(1)).expect("signed"));
        // Every part of the section, and a byte of the manifest.
        let manifest = file.len() - 30;
        let (form, public) = (signed.len() - 97, signed.len() - 96);
        let changed = |at: usize, to: u8| {
            let mut bytes = signed.clone();
            assert_ne!(bytes[at], to);
            bytes[at] = to;
            bytes
        };
        let other = sign(&file, &key(2)).expect("signed");
        let swapped = [&signed[..public], &other[public..public + KEY], &signed[public + KEY..]].concat();
        let section = &signed[file.len()..];
        let empty: &[u8] = &[0, 1, 0];
        let again = [&signed[..], section].concat();
        let table: [(Vec<u8>, &str); 9] = [
            (changed(manifest, signed[manifest] ^ 1), "does not fit"),
            (changed(signed.len() - 1, signed[signed.len() - 1] ^ 1), "does not fit"),
            (changed(public + 40, signed[public + 40] ^ 1), "does not fit"),
            (changed(form, 2), "form 2"),
            (changed(form, 0), "sign it again"),
            (swapped, "does not fit"),
            ([&signed[..], empty].concat(), "3 bytes stand after"),
            (again, "signed 2 times"),
            (signed[..signed.len() - 1].to_vec(), "damaged"),
        ];
        for (bytes, why) in table {
            let error = verify(&bytes).expect_err(why).to_string();
            assert!(error.contains(why), "{error}, wanted {why}");
        }
        assert!(sealed::read(&swapped_manifest(&signed, &file)).is_err(), "reading verifies");
        assert!(sign(b"no connector", &key(1)).is_err());
    }

    /// A signed file with a section put before the signature.
    fn swapped_manifest(signed: &[u8], file: &[u8]) -> Vec<u8> {
        [file, &[0, 1, 0], &signed[file.len()..]].concat()
    }

    #[test]
    fn a_signature_whose_length_is_written_otherwise_is_refused() {
        let (file, signed) = (file(), sign(&file(), &key(1)).expect("signed"));
        let body = &signed[file.len() + 2..];
        assert!(body.len() < 128, "its length takes one byte");
        let padded = [&file[..], &[0, 0x80 | body.len() as u8, 0], body].concat();
        assert!(matches!(verify(&padded), Err(SignatureError::Malformed)), "{:?}", verify(&padded));
    }

    #[test]
    fn keys_are_kept_in_the_usual_form_and_publishers_are_written_as_hex() {
        let pem = key(3).to_pem().expect("encoded");
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"), "PKCS#8");
        assert_eq!(PublisherKey::from_pem(&pem).expect("read").publisher(), key(3).publisher());
        // RFC 8410, section 10.3: version 1, as OpenSSL writes it.
        let known = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
        let publisher = PublisherKey::from_pem(known).expect("read").publisher();
        assert_eq!(publisher.to_string(), "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1");
        assert_eq!(publisher.to_string().parse(), Ok(publisher));
        for bad in ["", "19bf", &publisher.to_string().to_uppercase()] {
            assert!(bad.parse::<Publisher>().is_err(), "{bad}");
        }
        assert!(PublisherKey::from_pem("-----BEGIN PRIVATE KEY-----\n").is_err());
    }
}
