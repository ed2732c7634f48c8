//! Which buckets a request draws from.

use sallyport_pack::manifest::{Per as ManifestPer, RateLimit};

use super::{Authorised, Egress, EgressError};
use crate::authority::Authority;
use crate::connection::Connection;
use crate::ports::{Bucket, Rate};

impl Egress {
    /// The buckets of every `[[rate_limit]]` that speaks of this request, as the connection is set; the one that is shared
    /// least comes last.
    pub(super) async fn buckets(
        &self,
        at: &Authority,
        connection: &Connection,
        authorised: &Authorised,
    ) -> Result<Vec<Bucket>, EgressError> {
        let manifest = authorised.live().manifest();
        let mut limits: Vec<(&RateLimit, &str)> = manifest
            .rate_limits
            .iter()
            .filter(|limit| holds(limit, connection))
            .filter_map(|limit| Some((limit, authorised.matching(&limit.routes)?)))
            .collect();
        if limits.is_empty() {
            return Ok(Vec::new());
        }
        limits.sort_by_key(|(limit, _)| limit.per.len());
        let provider = connection.provider.as_str();
        let client = self.credentials.client_owner(at.tenant(), provider).await?;
        Ok(limits
            .into_iter()
            .map(|(limit, route)| {
                let rate = Rate {
                    requests: limit.limit.count,
                    millis: u64::try_from(limit.limit.window.duration().as_millis()).unwrap_or(u64::MAX),
                };
                Bucket { key: key(limit, route, provider, &client, connection), rate }
            })
            .collect())
    }
}

/// Whether the connection's settings are those under which a limit holds.
fn holds(limit: &RateLimit, connection: &Connection) -> bool {
    limit.when.iter().all(|(key, values)| {
        connection.settings.get(key.as_str()).is_some_and(|set| values.iter().any(|value| value == set))
    })
}

/// Equal for all requests that share the bucket. The rule's own routes and rate are in it, so that two rules with the same
/// `per` do not share one; its parts are JSON, so that no name can pretend to be another.
fn key(limit: &RateLimit, route: &str, provider: &str, client: &str, connection: &Connection) -> String {
    let routes: Vec<&str> = limit.routes.iter().map(|route| route.as_str()).collect();
    let rule = blake3::hash(format!("{} {}", limit.limit, routes.join("\n")).as_bytes());
    let mut parts = vec![provider, &rule.to_hex()[..16]].into_iter().map(str::to_owned).collect::<Vec<_>>();
    for per in &limit.per {
        parts.push(match per {
            ManifestPer::Client => format!("client={client}"),
            ManifestPer::Workspace => {
                format!("workspace={}", connection.workspace.as_ref().unwrap_or(&connection.account))
            }
            ManifestPer::Connection => format!("connection={}", connection.id),
            ManifestPer::Route => format!("route={route}"),
        });
    }
    serde_json::Value::from(parts).to_string()
}
