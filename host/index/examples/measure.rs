//! Measures retrieval on questions with one right answer each.
//!
//!     cargo run -p sallyport-index --example measure -- FILE.jsonl
//!
//! A line is `{"id": …, "title": …, "text": …, "query": …}`; the title may be missing. Prints, for each
//! mode, nDCG@10, how often the right document came first, and the time a query took.

use std::time::{Duration, Instant};

use anyhow::Context;
use sallyport_index::testing::{Fixture, MemoryStore, TestDocument, caller};
use sallyport_index::{Index, MiniLm, Mode, Model, SearchRequest, TenantId};
use serde::Deserialize;

#[derive(Deserialize)]
struct Line {
    id: String,
    #[serde(default)]
    title: String,
    text: String,
    query: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).context("name a JSON lines file")?;
    let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    let lines: Vec<Line> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;

    let cache = Model::default_cache().context("HOME is not set")?;
    let model = MiniLm::load(&Model::obtain(&cache, &|progress| eprintln!("{progress:?}"))?)?;
    let (store, folder) = (MemoryStore::new(), tempfile::tempdir()?);
    let tenant = TenantId::new("measure");
    for line in &lines {
        store.put(&tenant, &TestDocument::new(&line.id, &line.title, &line.text, &["reader@measure.test"])).await;
    }
    let index = Index::open(folder.path(), store.store(), std::sync::Arc::new(model))?;
    let started = Instant::now();
    let done = index.catch_up(&tenant, &|_| {}).await?;
    let seconds = started.elapsed().as_secs_f64();
    println!("{} documents, {} chunks, {:.1} chunks/s", done.documents, done.chunks, done.chunks as f64 / seconds);

    for mode in [Mode::Lexical, Mode::Dense, Mode::Hybrid] {
        let (mut ndcg, mut first, mut times) = (0.0, 0, Vec::new());
        for line in &lines {
            let request = SearchRequest::new(caller(&tenant, "reader@measure.test"), line.query.as_str());
            let started = Instant::now();
            let hits = index.search(&SearchRequest { mode, per_document: 1, ..request }).await?;
            times.push(started.elapsed());
            if let Some(rank) = hits.results.iter().position(|hit| hit.chunk.document.id == line.id) {
                ndcg += 1.0 / ((rank + 2) as f64).log2();
                first += usize::from(rank == 0);
            }
        }
        times.sort_unstable();
        let (count, median) = (lines.len() as f64, times.get(times.len() / 2).copied().unwrap_or(Duration::ZERO));
        println!("{mode:?}: nDCG@10 {:.3}, first {:.3}, median {median:.1?}", ndcg / count, first as f64 / count);
    }
    Ok(())
}
