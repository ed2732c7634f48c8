//! A tenant's vectors in memory, scanned exactly.

use std::collections::HashMap;

use roaring::RoaringTreemap;

use crate::quantize::{dot, dot_f32};
use crate::{ChunkKey, DocumentChunks, DocumentKey, Vector};

/// Where a chunk stands. The order of two places does not depend on what else is indexed, so it
/// breaks ties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) document: DocumentKey,
    pub(crate) ordinal: u32,
    pub(crate) chunk: ChunkKey,
}

/// One row a chunk, rows of a removed chunk used again.
#[derive(Debug)]
pub(crate) struct Vectors {
    dims: usize,
    values: Vec<i8>,
    scales: Vec<f32>,
    places: Vec<Option<Place>>,
    rows: HashMap<ChunkKey, usize>,
    documents: HashMap<DocumentKey, Vec<usize>>,
    free: Vec<usize>,
}

/// A query's vector in both precisions.
pub(crate) struct Probe {
    exact: Vec<f32>,
    bytes: Vector,
}

impl Probe {
    pub(crate) fn new(exact: Vec<f32>) -> Self {
        Self { bytes: Vector::quantize(&exact), exact }
    }
}

impl Vectors {
    pub(crate) fn new(dims: usize) -> Self {
        Self {
            dims,
            values: Vec::new(),
            scales: Vec::new(),
            places: Vec::new(),
            rows: HashMap::new(),
            documents: HashMap::new(),
            free: Vec::new(),
        }
    }

    /// Replaces a document's rows. A vector of another length is left out: it cannot be compared.
    pub(crate) fn replace(&mut self, document: &DocumentChunks) {
        for row in self.documents.remove(&document.document).unwrap_or_default() {
            if let Some(place) = self.places[row].take() {
                self.rows.remove(&place.chunk);
            }
            self.free.push(row);
        }
        let dims = self.dims;
        let mut rows = Vec::with_capacity(document.chunks.len());
        for chunk in document.chunks.iter().filter(|chunk| chunk.vector.values.len() == dims) {
            let place = Place { document: document.document, ordinal: chunk.ordinal, chunk: chunk.key };
            rows.push(self.insert(place, &chunk.vector));
        }
        if !rows.is_empty() {
            self.documents.insert(document.document, rows);
        }
    }

    fn insert(&mut self, place: Place, vector: &Vector) -> usize {
        let row = self.free.pop().unwrap_or_else(|| {
            self.values.resize(self.values.len() + self.dims, 0);
            self.scales.push(0.0);
            self.places.push(None);
            self.places.len() - 1
        });
        self.values[row * self.dims..][..self.dims].copy_from_slice(&vector.values);
        self.scales[row] = vector.scale;
        self.places[row] = Some(place);
        self.rows.insert(place.chunk, row);
        row
    }

    /// How many of these documents have chunks here, and how many chunks they have.
    pub(crate) fn count(&self, readable: &RoaringTreemap) -> (usize, usize) {
        let present = readable.iter().filter_map(|key| self.documents.get(&DocumentKey(key)));
        present.fold((0, 0), |(documents, chunks), rows| (documents + 1, chunks + rows.len()))
    }

    /// The `limit` best of the readable chunks, best first: scanned in bytes, which decides who is
    /// among them, then rated with the query in full precision, which decides the order.
    pub(crate) fn nearest(&self, probe: &Probe, readable: &RoaringTreemap, limit: usize) -> Vec<(Place, f32)> {
        let mut last = (None, false);
        let mut found = Vec::new();
        for (row, place) in self.places.iter().enumerate() {
            let Some(place) = place else { continue };
            if last.0 != Some(place.document) {
                last = (Some(place.document), readable.contains(place.document.0));
            }
            if last.1 {
                let rough = dot(&probe.bytes.values, self.row(row)) as f32 * self.scales[row];
                found.push((*place, rough));
            }
        }
        best(&mut found, limit);
        for (place, score) in &mut found {
            *score = self.similarity(probe, place.chunk).unwrap_or(*score);
        }
        best(&mut found, limit);
        found
    }

    /// Cosine of the query and a chunk, if the chunk is here.
    pub(crate) fn similarity(&self, probe: &Probe, chunk: ChunkKey) -> Option<f32> {
        let row = *self.rows.get(&chunk)?;
        Some(dot_f32(&probe.exact, self.row(row)) * self.scales[row])
    }

    fn row(&self, row: usize) -> &[i8] {
        &self.values[row * self.dims..][..self.dims]
    }
}

/// Keeps the `limit` best, best first; equal scores in the order of their places.
pub(crate) fn best(found: &mut Vec<(Place, f32)>, limit: usize) {
    let order = |a: &(Place, f32), b: &(Place, f32)| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0));
    if limit == 0 {
        found.clear();
    } else if found.len() > limit {
        found.select_nth_unstable_by(limit - 1, order);
        found.truncate(limit);
    }
    found.sort_unstable_by(order);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Seq, StoredChunk};

    fn document(key: u64, vectors: &[[f32; 2]]) -> DocumentChunks {
        let chunk = |(ordinal, vector): (usize, &[f32; 2])| StoredChunk {
            key: ChunkKey(key * 100 + ordinal as u64),
            ordinal: ordinal as u32,
            text: String::new(),
            heading: vec![],
            vector: Vector::quantize(vector),
        };
        let chunks = vectors.iter().enumerate().map(chunk).collect();
        DocumentChunks { document: DocumentKey(key), seq: Seq(key), title: String::new(), chunks }
    }

    fn found(vectors: &Vectors, readable: &[u64]) -> Vec<u64> {
        let probe = Probe::new(vec![1.0, 0.0]);
        let readable = readable.iter().copied().collect();
        vectors.nearest(&probe, &readable, 10).iter().map(|(place, _)| place.chunk.0).collect()
    }

    #[test]
    fn nearer_chunks_that_may_not_be_read_take_no_place() {
        let mut vectors = Vectors::new(2);
        for key in 1..=1000 {
            vectors.replace(&document(key, &[[1.0, 0.0]]));
        }
        vectors.replace(&document(2000, &[[0.6, 0.8], [0.8, 0.6]]));
        assert_eq!(found(&vectors, &[2000]), [200_001, 200_000]);
        assert_eq!(found(&vectors, &[]), [0; 0]);
    }

    #[test]
    fn a_replaced_document_leaves_no_row_behind() {
        let mut vectors = Vectors::new(2);
        vectors.replace(&document(1, &[[1.0, 0.0], [0.0, 1.0]]));
        vectors.replace(&document(2, &[[0.9, 0.1]]));
        vectors.replace(&document(1, &[[0.5, 0.5]]));
        assert_eq!(found(&vectors, &[1, 2]), [200, 100]);
        vectors.replace(&document(2, &[]));
        assert_eq!(found(&vectors, &[1, 2]), [100]);
        assert_eq!(vectors.count(&[1, 2].into_iter().collect()), (1, 1));
        assert_eq!(vectors.places.len(), 3);
    }

    #[test]
    fn equal_scores_keep_the_order_of_documents() {
        let mut vectors = Vectors::new(2);
        vectors.replace(&document(3, &[[1.0, 0.0]]));
        vectors.replace(&document(1, &[[1.0, 0.0], [1.0, 0.0]]));
        assert_eq!(found(&vectors, &[1, 3]), [100, 101, 300]);
    }
}
