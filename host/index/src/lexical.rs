//! A tenant's postings on disk, walked so that only readable chunks shape a score.
//!
//! tantivy keeps the postings. Its own scorers are not used: their statistics count every document,
//! and their pruning assumes those statistics. A query here reads each term's postings twice over:
//! once to count and once to rate, and what may not be read is skipped before either.

mod folder;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use roaring::RoaringTreemap;
use serde::{Deserialize, Serialize};
use tantivy::directory::META_LOCK;
use tantivy::postings::Postings;
use tantivy::schema::{FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{PreTokenizedString, Token};
use tantivy::{Directory as _, DocSet, Index, IndexReader, IndexWriter, SegmentReader, TantivyDocument, Term};

use crate::terms::terms;
use crate::vectors::Place;
use crate::{ChunkKey, DocumentChunks, DocumentKey, Recipe, Seq};

pub(crate) use folder::{Guard, LexicalError};

/// Raise it when an older folder would be read wrongly: it is then built again.
const FORMAT: u32 = 1;
/// What one writer may hold before it writes a segment: the least that tantivy takes.
const WRITER_BYTES: usize = 16 << 20;
/// BM25's usual constants.
const K1: f32 = 1.2;
const B: f32 = 0.75;

/// What a folder was built from; stored with each of its commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    format: u32,
    history: String,
    recipe: String,
}

impl Origin {
    pub(crate) fn new(history: &str, recipe: &Recipe) -> Self {
        Self { format: FORMAT, history: history.to_owned(), recipe: recipe.as_str().to_owned() }
    }
}

#[derive(Serialize, Deserialize)]
struct Payload {
    #[serde(flatten)]
    origin: Origin,
    seq: u64,
}

#[derive(Clone, Copy)]
struct Fields {
    text: Field,
    document: Field,
    chunk: Field,
    ordinal: Field,
    length: Field,
}

/// An open folder.
pub(crate) struct Lexical {
    folder: PathBuf,
    index: Index,
    reader: IndexReader,
    fields: Fields,
    origin: Origin,
}

impl Lexical {
    /// Opens the folder, or builds an empty one where there is none, where it is of another format,
    /// history or recipe, is ahead of `end`, or cannot be read.
    pub(crate) fn open(path: &Path, origin: Origin, end: Seq, guard: &Guard) -> Result<Self, LexicalError> {
        match Self::open_existing(path, &origin) {
            Ok(lexical) if lexical.seq().is_ok_and(|seq| seq <= end) => return Ok(lexical),
            Ok(_) => tracing::info!(path = %path.display(), "search index is ahead of its store: building it again"),
            Err(None) => {}
            Err(Some(reason)) => {
                tracing::warn!(path = %path.display(), reason, "search index cannot be used: building it again");
            }
        }
        folder::empty(path, guard)?;
        let (schema, fields) = schema();
        let index = Index::create_in_dir(path, schema)?;
        let mut writer: IndexWriter = index.writer_with_num_threads(1, WRITER_BYTES)?;
        commit(&mut writer, &origin, Seq(0))?;
        drop(writer);
        let reader = index.reader_builder().reload_policy(tantivy::ReloadPolicy::Manual).try_into()?;
        Ok(Self { folder: path.into(), index, reader, fields, origin })
    }

    /// `Err(None)` where there is nothing or something older; a reason where it is damaged.
    fn open_existing(path: &Path, origin: &Origin) -> Result<Self, Option<String>> {
        if !path.join("meta.json").exists() {
            return Err(None);
        }
        let reason = |error: tantivy::TantivyError| Some(error.to_string());
        let index = Index::open_in_dir(path).map_err(reason)?;
        let (schema, fields) = schema();
        if payload(&index).map_err(|error| Some(error.to_string()))?.origin != *origin || index.schema() != schema {
            return Err(None);
        }
        let damaged = index.validate_checksum().map_err(reason)?;
        if !damaged.is_empty() {
            return Err(Some(format!("{damaged:?} changed on disk")));
        }
        let reader = index.reader_builder().reload_policy(tantivy::ReloadPolicy::Manual).try_into().map_err(reason)?;
        Ok(Self { folder: path.into(), index, reader, fields, origin: origin.clone() })
    }

    /// The position of the last commit, by whichever process. Fails if the folder was taken over by
    /// an index of another origin.
    pub(crate) fn seq(&self) -> Result<Seq, LexicalError> {
        let payload = payload(&self.index)?;
        if payload.origin != self.origin {
            return Err(LexicalError::Replaced);
        }
        Ok(Seq(payload.seq))
    }

    /// Makes the last commit the one that is searched.
    pub(crate) fn reload(&self) -> Result<(), LexicalError> {
        Ok(self.reader.reload()?)
    }

    /// Takes in the chunks of these documents and records `seq`. `merge`: also joins small segments,
    /// which may take seconds. The guard keeps other processes out.
    pub(crate) fn apply(
        &self,
        documents: &[DocumentChunks],
        seq: Seq,
        merge: bool,
        _guard: &Guard,
    ) -> Result<(), LexicalError> {
        self.remove_strays()?;
        let mut writer: IndexWriter = self.index.writer_with_num_threads(1, WRITER_BYTES)?;
        if !merge {
            writer.set_merge_policy(Box::new(tantivy::merge_policy::NoMergePolicy));
        }
        for document in documents {
            writer.delete_term(Term::from_field_u64(self.fields.document, document.document.0));
            for chunk in &document.chunks {
                let mut text = document.title.clone();
                chunk.heading.iter().chain([&chunk.text]).for_each(|part| {
                    text.push('\n');
                    text.push_str(part);
                });
                let terms = terms(&text);
                let mut row = TantivyDocument::new();
                row.add_u64(self.fields.document, document.document.0);
                row.add_u64(self.fields.chunk, chunk.key.0);
                row.add_u64(self.fields.ordinal, chunk.ordinal.into());
                row.add_u64(self.fields.length, terms.len() as u64);
                row.add_pre_tokenized_text(self.fields.text, pre_tokenized(terms));
                writer.add_document(row)?;
            }
        }
        commit(&mut writer, &self.origin, seq)?;
        if merge {
            writer.wait_merging_threads()?;
        }
        self.reload()
    }

    /// Removes what a process wrote that was killed before its commit: the next one may choose the same names, and tantivy
    /// writes over no file. It does not know them itself, since its list of files is read when the folder is opened.
    fn remove_strays(&self) -> Result<(), LexicalError> {
        // Held by whoever opens the files of a commit, so that none goes in between.
        let _opening = self.index.directory().acquire_lock(&META_LOCK).map_err(tantivy::TantivyError::from)?;
        let living = self.index.load_metas()?.list_segment_files();
        let failed = |error: std::io::Error| LexicalError::Index(error.to_string());
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let of_segment = name
                .to_str()
                .and_then(|name| name.split_once('.'))
                .is_some_and(|(id, _)| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
            if of_segment && !living.contains(Path::new(&name)) {
                std::fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// BM25 of every readable chunk that has a term of the query, as if no other chunk existed.
    pub(crate) fn search(&self, query: &str, readable: &RoaringTreemap) -> Result<Vec<(Place, f32)>, LexicalError> {
        let mut wanted = terms(query);
        let mut seen = std::collections::HashSet::new();
        wanted.retain(|term| seen.insert(term.clone()));
        if wanted.is_empty() || readable.is_empty() {
            return Ok(vec![]);
        }
        let searcher = self.reader.searcher();
        let mut segments = Vec::new();
        for reader in searcher.segment_readers() {
            segments.push(Segment::open(reader, readable)?);
        }
        let chunks: u64 = segments.iter().map(|segment| segment.chunks).sum();
        let length: u64 = segments.iter().map(|segment| segment.length).sum();
        let average = (length as f64 / chunks.max(1) as f64).max(1.0) as f32;

        let mut scores: HashMap<Place, f32> = HashMap::new();
        for term in wanted {
            let term = Term::from_field_text(self.fields.text, &term);
            let mut hits = Vec::new();
            for segment in &segments {
                segment.walk(self.fields, &term, &mut hits)?;
            }
            let having = hits.len() as f64;
            let rarity = (1.0 + (chunks as f64 - having + 0.5) / (having + 0.5)).ln() as f32;
            for hit in hits {
                let norm = K1 * (1.0 - B + B * hit.length as f32 / average);
                *scores.entry(hit.place).or_default() += rarity * hit.count * (K1 + 1.0) / (hit.count + norm);
            }
        }
        Ok(scores.into_iter().collect())
    }
}

/// A segment's columns, and which of its rows this query may see.
struct Segment<'a> {
    reader: &'a SegmentReader,
    visible: Vec<Option<Visible>>,
    chunks: u64,
    length: u64,
}

#[derive(Clone, Copy)]
struct Visible {
    place: Place,
    length: u64,
}

struct Hit {
    place: Place,
    length: u64,
    count: f32,
}

impl<'a> Segment<'a> {
    fn open(reader: &'a SegmentReader, readable: &RoaringTreemap) -> Result<Self, LexicalError> {
        let column = |name| reader.fast_fields().u64(name).map(|column| column.first_or_default_col(0));
        let (documents, chunks) = (column("document")?, column("chunk")?);
        let (ordinals, lengths) = (column("ordinal")?, column("length")?);
        let mut segment = Self { reader, visible: vec![None; reader.max_doc() as usize], chunks: 0, length: 0 };
        let mut last = (None, false);
        for row in reader.doc_ids_alive() {
            let document = documents.get_val(row);
            if last.0 != Some(document) {
                last = (Some(document), readable.contains(document));
            }
            if last.1 {
                let place = Place {
                    document: DocumentKey(document),
                    ordinal: ordinals.get_val(row) as u32,
                    chunk: ChunkKey(chunks.get_val(row)),
                };
                let length = lengths.get_val(row);
                segment.visible[row as usize] = Some(Visible { place, length });
                segment.chunks += 1;
                segment.length += length;
            }
        }
        Ok(segment)
    }

    fn walk(&self, fields: Fields, term: &Term, hits: &mut Vec<Hit>) -> Result<(), LexicalError> {
        let inverted = self.reader.inverted_index(fields.text)?;
        let Some(mut postings) = inverted.read_postings(term, IndexRecordOption::WithFreqs)? else {
            return Ok(());
        };
        let mut row = postings.doc();
        while row != tantivy::TERMINATED {
            if let Some(Visible { place, length }) = self.visible[row as usize] {
                hits.push(Hit { place, length, count: postings.term_freq() as f32 });
            }
            row = postings.advance();
        }
        Ok(())
    }
}

fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    // Lengths are in a column of their own, exact; positions are not asked for.
    let indexing = TextFieldIndexing::default()
        .set_tokenizer("raw")
        .set_index_option(IndexRecordOption::WithFreqs)
        .set_fieldnorms(false);
    let fields = Fields {
        text: schema.add_text_field("text", TextOptions::default().set_indexing_options(indexing)),
        document: schema.add_u64_field("document", FAST | INDEXED),
        chunk: schema.add_u64_field("chunk", FAST),
        ordinal: schema.add_u64_field("ordinal", FAST),
        length: schema.add_u64_field("length", FAST),
    };
    (schema.build(), fields)
}

fn pre_tokenized(terms: Vec<String>) -> PreTokenizedString {
    let token = |(position, text)| Token { position, text, ..Token::default() };
    PreTokenizedString { text: String::new(), tokens: terms.into_iter().enumerate().map(token).collect() }
}

fn payload(index: &Index) -> Result<Payload, LexicalError> {
    let payload = index.load_metas()?.payload.unwrap_or_default();
    serde_json::from_str(&payload).map_err(|error| LexicalError::Index(format!("its payload: {error}")))
}

fn commit(writer: &mut IndexWriter, origin: &Origin, seq: Seq) -> Result<(), LexicalError> {
    let payload = serde_json::to_string(&Payload { origin: origin.clone(), seq: seq.0 });
    let mut commit = writer.prepare_commit()?;
    commit.set_payload(&payload.map_err(|error| LexicalError::Index(error.to_string()))?);
    commit.commit()?;
    Ok(())
}
