//! Keeping a provider's webhook subscriptions alive.

use crate::Failure;
use crate::clock::Timestamp;

/// Makes, renews and removes webhook subscriptions; name the type after `subscriptions:` in
/// [`export!`](crate::export). Run by the host's scheduler with only the capabilities that
/// `[webhook].subscribe` of the manifest names.
pub trait Subscriptions {
    /// Makes sure that the provider announces changes to `callback`; gives what is now subscribed.
    fn ensure(callback: &str, known: &[Subscription]) -> Result<Vec<Subscription>, Failure>;

    /// Removes what is known.
    fn remove(known: &[Subscription]) -> Result<(), Failure>;
}

/// One subscription at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The provider's id.
    pub id: String,
    /// What is watched.
    pub target: String,
    /// When it must have been renewed.
    pub expires: Option<Timestamp>,
}
