//! Redirects: the host's, for reads by GET and HEAD, each hop through the same gate.

use super::request::{Body, Request, Response};
use super::{Authorised, Egress, Refusal};

/// More hops than any service needs.
pub(super) const MOST_HOPS: u32 = 5;

impl Egress {
    /// The request that an answer redirects to, judged like any other; `None` if it redirects nowhere that is the host's
    /// to follow.
    pub(super) fn hop(&self, from: &Authorised, response: &Response) -> Option<Result<Authorised, Refusal>> {
        let followed = matches!(response.status, 301 | 302 | 303 | 307 | 308)
            && matches!(from.method(), "GET" | "HEAD")
            && !from.is_write();
        let location = response.header("location").filter(|_| followed)?;
        Some(self.judge_hop(from, location))
    }

    fn judge_hop(&self, from: &Authorised, location: &str) -> Result<Authorised, Refusal> {
        let malformed =
            |error: ::url::ParseError| Refusal::Malformed(format!("the service redirects to no URL: {error}"));
        let mut url = from.url().join(location).map_err(malformed)?;
        // A re-pointed service names itself by the address at which it is reached.
        let live = from.live();
        let connector = live.manifest().connector.id.as_str();
        let declared = live.manifest().origins.iter();
        let back = declared
            .filter_map(|(name, origin)| self.wire.repoint().back(connector, name.as_str(), origin.url.url(), &url))
            .next();
        if let Some(back) = back {
            url = back;
        }
        let headers = from
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()));
        let request = Request {
            method: from.method().to_owned(),
            url: url.into(),
            headers: headers.collect(),
            body: Body::Empty,
            slot: None,
            delivery: from.delivery(),
            most: from.most(),
        };
        let hop = self.authorise(live, request)?;
        if hop.is_write() {
            return Err(Refusal::Malformed(format!("the service redirects a read to a write ({})", hop.target())));
        }
        // To another origin the secret does not follow; to the same it is the one that the guest chose.
        Ok(if hop.origin() == from.origin() { hop.with_slot_of(from) } else { hop.without_credentials() })
    }
}
