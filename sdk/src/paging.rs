//! Listing to the end, and only to the end.

use crate::Failure;

/// More pages than this are taken for a service that never ends.
const MOST_PAGES: usize = 100_000;

/// One page and where the next begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, C> {
    /// What the page holds.
    pub items: T,
    /// Where the next page begins; `None` on the last.
    pub next: Option<C>,
}

impl<T, C> Page<T, C> {
    /// A page and where the next begins.
    pub fn new(items: T, next: Option<C>) -> Self {
        Self { items, next }
    }
}

/// Fetches page after page: `fetch` gets `None` first, then what the page before gave as `next`.
///
/// A service that names the same place twice in a row would be asked for ever: that is the failure
/// `paging-loop`. After a failure the iterator ends.
///
/// ```
/// use sallyport_sdk::paging::{self, Page};
///
/// let pages = paging::pages(|from: Option<&u32>| {
///     let start = from.copied().unwrap_or(0);
///     Ok(Page::new(start..start + 2, (start < 4).then_some(start + 2)))
/// });
/// let all: Vec<u32> = pages.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
/// assert_eq!(all, [0, 1, 2, 3, 4, 5]);
/// # Ok::<_, sallyport_sdk::Failure>(())
/// ```
pub fn pages<T, C, F>(fetch: F) -> Pages<C, F>
where
    C: PartialEq,
    F: FnMut(Option<&C>) -> Result<Page<T, C>, Failure>,
{
    Pages { fetch, next: None, count: 0, ended: false }
}

/// The iterator that [`pages`] gives.
#[derive(Debug)]
pub struct Pages<C, F> {
    fetch: F,
    next: Option<C>,
    count: usize,
    ended: bool,
}

impl<T, C, F> Iterator for Pages<C, F>
where
    C: PartialEq,
    F: FnMut(Option<&C>) -> Result<Page<T, C>, Failure>,
{
    type Item = Result<T, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let page = (self.fetch)(self.next.as_ref());
        self.count += 1;
        let page = match page {
            Ok(page) => page,
            Err(failure) => {
                self.ended = true;
                return Some(Err(failure));
            }
        };
        if page.next.is_some() && (page.next == self.next || self.count >= MOST_PAGES) {
            self.ended = true;
            return Some(Err(Failure::other("paging-loop", "the service's pages do not come to an end")));
        }
        self.ended = page.next.is_none();
        self.next = page.next;
        Some(Ok(page.items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_place_ends_the_listing() {
        let mut asked = 0;
        let pages = pages(|_: Option<&&str>| {
            asked += 1;
            Ok(Page::new((), Some("again")))
        });
        let given: Vec<_> = pages.collect();
        assert!(given[0].is_ok());
        assert!(matches!(&given[1], Err(Failure::Other(problem)) if problem.code == "paging-loop"));
        assert_eq!((given.len(), asked), (2, 2));
    }

    #[test]
    fn a_failure_ends_the_listing() {
        let mut pages = pages(|_: Option<&u8>| Err::<Page<(), u8>, _>(Failure::not_found("the board")));
        assert_eq!(pages.next(), Some(Err(Failure::not_found("the board"))));
        assert_eq!(pages.next(), None);
    }
}
