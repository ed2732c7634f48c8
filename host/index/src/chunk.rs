//! Cutting a document into chunks that an embedder can read whole.

use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use text_splitter::{ChunkConfig, ChunkSizer, MarkdownSplitter, TextSplitter};

use crate::{Embedder, Format};

/// Goes into the recipe: raise it when the same document would be cut or prefixed differently.
pub(crate) const CHUNKER_VERSION: u32 = 1;

/// Tokens that neighbouring chunks share.
const OVERLAP: usize = 20;
/// A chunk is at most this long, also where the embedder reads more.
const LARGEST: usize = 512;
/// Title and headings may take at most this share of what the embedder reads: a fifth.
const PREFIX_SHARE: usize = 5;
/// Tokens that a model adds to a text: one before and one after.
const MARKS: usize = 2;
/// A document has at most this many chunks (about a million tokens); the rest is not searched.
const MOST_CHUNKS: usize = 4096;
/// Bytes that are cut at a time.
const WINDOW: usize = 32 << 10;

/// A chunk before it has a vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Position in the document, from 0.
    pub ordinal: u32,
    /// The text as it stands in the document.
    pub text: String,
    /// Headings above it, outermost first.
    pub heading: Vec<String>,
    /// Byte offsets into the document's text.
    pub span: Range<u64>,
    /// What is embedded: title and headings on a line, then the text.
    pub passage: String,
}

/// A document's chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunks {
    /// In order.
    pub chunks: Vec<Chunk>,
    /// Bytes at the end that are in no chunk because the document has too many.
    pub cut: u64,
}

/// Cuts by tokens along the document's structure. The same input gives the same chunks. A document
/// without text has one chunk if it has a title, else none.
pub fn chunk(embedder: &dyn Embedder, title: &str, format: Format, text: &str) -> Chunks {
    let title = title.trim();
    if text.trim().is_empty() {
        let only = Chunk { ordinal: 0, text: title.into(), heading: vec![], span: 0..0, passage: title.into() };
        return Chunks { chunks: if title.is_empty() { vec![] } else { vec![only] }, cut: 0 };
    }
    let sizer = Sizer(embedder);
    let headings = match format {
        Format::Markdown => headings(text),
        Format::Plain => vec![],
    };
    let room = embedder.max_tokens().min(LARGEST).saturating_sub(MARKS).max(2);
    let prefix_room = room / PREFIX_SHARE;
    let longest = longest_prefix(&sizer, title, &headings, prefix_room);
    let size = (room - longest).max(1);
    let config = || {
        let config = ChunkConfig::new(size).with_sizer(&sizer);
        config.with_overlap(OVERLAP.min(size / 4)).expect("the overlap is at most a quarter of the size")
    };
    let mut spans: Vec<Range<usize>> = Vec::new();
    for window in windows(text) {
        let (start, text) = (window.start, &text[window]);
        let more = MOST_CHUNKS + 1 - spans.len();
        match format {
            Format::Markdown => take(&mut spans, start, more, MarkdownSplitter::new(config()).chunk_indices(text)),
            Format::Plain => take(&mut spans, start, more, TextSplitter::new(config()).chunk_indices(text)),
        }
    }
    let cut = spans.get(MOST_CHUNKS).map_or(0, |_| text.len() - spans[MOST_CHUNKS - 1].end) as u64;

    let mut end = 0;
    let mut chunks = Vec::new();
    for (ordinal, span) in spans.into_iter().take(MOST_CHUNKS).enumerate() {
        // What a chunk shares with the one before it may stand under an earlier heading.
        let fresh = span.start.max(end);
        let skipped = text[fresh..span.end].len() - text[fresh..span.end].trim_start().len();
        let heading = path_at(&headings, fresh + skipped);
        end = span.end;
        let body = &text[span.clone()];
        let prefix = shorten(&sizer, prefix(title, &heading), prefix_room);
        let passage = if prefix.is_empty() { body.to_owned() } else { format!("{prefix}\n{body}") };
        let span = span.start as u64..span.end as u64;
        chunks.push(Chunk { ordinal: ordinal as u32, text: body.to_owned(), heading, span, passage });
    }
    Chunks { chunks, cut }
}

/// Counts as the embedder does.
struct Sizer<'a>(&'a dyn Embedder);

impl ChunkSizer for Sizer<'_> {
    fn size(&self, text: &str) -> usize {
        self.0.count_tokens(text)
    }
}

fn take<'a>(spans: &mut Vec<Range<usize>>, offset: usize, most: usize, cut: impl Iterator<Item = (usize, &'a str)>) {
    spans.extend(cut.take(most).map(|(start, text)| offset + start..offset + start + text.len()));
}

/// The splitter looks at all that is left for each chunk that it cuts, so a long text goes to it in
/// windows, each ending where a paragraph does, or a line, or a word.
fn windows(text: &str) -> Vec<Range<usize>> {
    let mut windows = Vec::new();
    let mut start = 0;
    while text.len() - start > WINDOW {
        let limit = text.floor_char_boundary(start + WINDOW);
        let window = &text[start..limit];
        let ends = ["\n#", "\n\n", "\n", " "].map(|end| window.rfind(end).map(|at| start + at + 1));
        let end = ends.into_iter().flatten().find(|end| end - start > WINDOW / 2).unwrap_or(limit);
        windows.push(start..end);
        start = end;
    }
    windows.push(start..text.len());
    windows
}

/// Where a heading stands, and the headings down to it, outermost first: each deeper than the one before.
struct Heading {
    at: usize,
    path: Vec<String>,
}

fn headings(markdown: &str) -> Vec<Heading> {
    let mut found = Vec::new();
    let mut open: Vec<(HeadingLevel, String)> = Vec::new();
    let mut current: Option<(HeadingLevel, usize, String)> = None;
    for (event, span) in Parser::new_ext(markdown, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => current = Some((level, span.start, String::new())),
            Event::Text(words) | Event::Code(words) => {
                if let Some((_, _, text)) = &mut current {
                    text.push_str(&words);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let Some((level, at, text)) = current.take().filter(|(_, _, text)| !text.trim().is_empty()) else {
                    continue;
                };
                open.retain(|(outer, _)| *outer < level);
                open.push((level, text.trim().to_owned()));
                found.push(Heading { at, path: open.iter().map(|(_, text)| text.clone()).collect() });
            }
            _ => {}
        }
    }
    found
}

fn path_at(headings: &[Heading], at: usize) -> Vec<String> {
    let above = headings.partition_point(|heading| heading.at <= at);
    above.checked_sub(1).map(|last| headings[last].path.clone()).unwrap_or_default()
}

fn prefix(title: &str, heading: &[String]) -> String {
    // Many documents open with their title as a heading: once is enough.
    let repeated = heading.first().is_some_and(|first| first.eq_ignore_ascii_case(title));
    let heading = heading.iter().skip(usize::from(repeated)).map(String::as_str);
    let parts: Vec<&str> = std::iter::once(title).filter(|title| !title.is_empty()).chain(heading).collect();
    parts.join(" > ")
}

/// Drops whole words from the end until it fits.
fn shorten(sizer: &Sizer<'_>, mut prefix: String, room: usize) -> String {
    while sizer.size(&prefix) > room {
        let end = prefix.trim_end().rfind(char::is_whitespace).unwrap_or(0);
        prefix.truncate(end);
    }
    prefix.truncate(prefix.trim_end().len());
    prefix
}

fn longest_prefix(sizer: &Sizer<'_>, title: &str, headings: &[Heading], room: usize) -> usize {
    let mut longest = sizer.size(title).min(room);
    for heading in headings {
        if longest == room {
            break;
        }
        longest = longest.max(sizer.size(&prefix(title, &heading.path)).min(room));
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::HashEmbedder;

    const REPORT: &str = "# Q4 strategy\n\nWe grow in the north and keep what we have in the south of the country.\n\n\
                          ## Budget\n\nMarketing gets more than last year and research gets the same as it had.\n\n\
                          ### Details\n\nFigures follow in the annex that finance keeps for the board and for nobody else.\n\n\
                          ## Hiring\n\nThree people join in the spring and two more after the summer holidays are over.\n";

    fn cut(title: &str, format: Format, text: &str) -> Vec<Chunk> {
        chunk(&HashEmbedder::new(24), title, format, text).chunks
    }

    #[test]
    fn each_chunk_knows_the_headings_above_it() {
        let chunks = cut("Q4 strategy", Format::Markdown, REPORT);
        let at = |words: &str| chunks.iter().find(|chunk| chunk.text.contains(words)).unwrap();
        assert_eq!(at("Figures").heading, ["Q4 strategy", "Budget", "Details"]);
        assert_eq!(at("Three people").heading, ["Q4 strategy", "Hiring"]);
        assert!(at("Three people").passage.starts_with("Q4 strategy > Hiring\n"), "{:?}", at("Three people"));
    }

    #[test]
    fn spans_point_at_the_text_and_nothing_is_lost() {
        let text = "Zürich, Łódź and 東京 are far apart. ".repeat(2000);
        assert!(text.len() > 2 * WINDOW);
        for format in [Format::Plain, Format::Markdown] {
            let chunks = cut("Cities", format, &text);
            assert!(chunks.len() > 3);
            let mut covered = 0;
            for (ordinal, chunk) in chunks.iter().enumerate() {
                let span = chunk.span.start as usize..chunk.span.end as usize;
                assert_eq!(chunk.ordinal as usize, ordinal);
                assert_eq!(&text[span.clone()], chunk.text);
                assert!(text[covered.min(span.start)..span.start].trim().is_empty());
                covered = span.end;
            }
            assert!(text[covered..].trim().is_empty());
        }
    }

    #[test]
    fn a_passage_fits_what_the_embedder_reads() {
        let embedder = HashEmbedder::new(24);
        let title = "A title that is much longer than any sensible share of what the embedder can read at once";
        let text = format!("# {title} and more\n\n{}", "many words in a row ".repeat(200));
        let chunks = chunk(&embedder, title, Format::Markdown, &text).chunks;
        for chunk in &chunks {
            let tokens = embedder.count_tokens(&chunk.passage) + MARKS;
            assert!(tokens <= embedder.max_tokens(), "{tokens} tokens in {:?}", chunk.passage);
        }
        assert_eq!(chunks, super::chunk(&embedder, title, Format::Markdown, &text).chunks);
    }

    #[test]
    fn a_document_without_text_is_found_by_its_title() {
        assert_eq!(cut(" Offsite photos ", Format::Plain, " \n")[0].passage, "Offsite photos");
        assert!(cut("", Format::Plain, "").is_empty());
    }

    #[test]
    fn a_document_beyond_all_measure_is_cut_and_says_so() {
        let text = "word ".repeat(120_000);
        let chunks = chunk(&HashEmbedder::new(24), "", Format::Plain, &text);
        assert_eq!(chunks.chunks.len(), MOST_CHUNKS);
        assert!(chunks.cut > 0);
    }
}
