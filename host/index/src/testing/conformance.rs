//! What every chunk store must do. Each part uses a tenant of its own; a breach panics with its reason.

use std::sync::Arc;

use super::{Fixture, TestDocument, caller, some};
use crate::{
    Caller, ChunkKey, ChunkStore, ContentHash, DocumentKey, NewChunk, PendingDocument, Put, Readers, Recipe, Seq,
    TenantId, Vector,
};

/// Runs every part. The fixture must be empty.
pub async fn conformance(fixture: &dyn Fixture) {
    content_waits_until_its_chunks_are_put(fixture).await;
    chunks_of_replaced_content_are_never_served(fixture).await;
    access_decides_what_is_readable(fixture).await;
    a_deletion_is_listed_and_final(fixture).await;
    changes_come_in_order_and_in_pages(fixture).await;
    a_new_recipe_makes_everything_wait(fixture).await;
    tenants_do_not_meet(fixture).await;
}

/// A tenant of the store under test, with the words that tests use about it.
struct Given<'a> {
    fixture: &'a dyn Fixture,
    store: Arc<dyn ChunkStore>,
    tenant: TenantId,
    recipe: Recipe,
}

impl<'a> Given<'a> {
    fn new(fixture: &'a dyn Fixture, tenant: &str) -> Self {
        let (tenant, recipe) = (TenantId::new(tenant), Recipe::new("test/1"));
        Self { fixture, store: fixture.store(), tenant, recipe }
    }

    async fn document(&self, id: &str, text: &str, people: &[&str]) {
        self.fixture.put(&self.tenant, &TestDocument::new(id, &format!("Title of {id}"), text, people)).await;
    }

    async fn pending(&self) -> Vec<PendingDocument> {
        let pending = self.store.pending(&self.tenant, &self.recipe, 100).await.expect("pending");
        let count = self.store.pending_count(&self.tenant, &self.recipe).await.expect("pending_count");
        assert_eq!(count, pending.len() as u64, "pending_count differs from pending");
        pending
    }

    async fn put(&self, document: &PendingDocument, texts: &[&str]) -> Put {
        let chunks = texts.iter().enumerate().map(|(ordinal, text)| new_chunk(ordinal as u32, text)).collect();
        let put = self.store.put_chunks(&self.tenant, document.document, document.content, &self.recipe, chunks);
        put.await.expect("put_chunks")
    }

    /// Puts one chunk, the text, for each document that waits.
    async fn settle(&self) {
        for document in self.pending().await {
            let put = self.put(&document, &[&document.text]).await;
            assert!(matches!(put, Put::Stored(_)), "chunks of present content were refused");
        }
        assert_eq!(self.pending().await, [], "documents wait although their chunks were put");
    }

    async fn changes(&self, since: Seq) -> Vec<(DocumentKey, Vec<ChunkKey>)> {
        let changes = self.store.changes_since(&self.tenant, &self.recipe, since, 100).await.expect("changes_since");
        assert!(!changes.more, "more was announced below the limit");
        let keys = |document: &crate::DocumentChunks| document.chunks.iter().map(|chunk| chunk.key).collect();
        changes.documents.iter().map(|document| (document.document, keys(document))).collect()
    }

    async fn end(&self) -> Seq {
        self.store.history(&self.tenant).await.expect("history").end
    }

    async fn all_chunks(&self) -> Vec<ChunkKey> {
        self.changes(Seq(0)).await.into_iter().flat_map(|(_, chunks)| chunks).collect()
    }

    /// Ids of documents that the caller may read; `readable` and `resolve` must agree.
    async fn readable(&self, caller: &Caller) -> Vec<String> {
        let keys = self.store.readable(caller, &self.recipe).await.expect("readable");
        let chunks = self.all_chunks().await;
        let resolved = self.store.resolve(caller, &chunks).await.expect("resolve");
        let mut ids: Vec<String> = resolved.iter().map(|chunk| chunk.document.id.clone()).collect();
        let mut resolved: Vec<u64> = resolved.iter().map(|chunk| chunk.document.key.0).collect();
        resolved.sort_unstable();
        resolved.dedup();
        assert_eq!(keys.iter().collect::<Vec<_>>(), resolved, "readable and resolve disagree");
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn caller(&self, email: &str) -> Caller {
        caller(&self.tenant, email)
    }
}

fn new_chunk(ordinal: u32, text: &str) -> NewChunk {
    let vector = Vector::quantize(&[text.len() as f32, ordinal as f32 + 1.0, -0.5]);
    let span = u64::from(ordinal) * 7..u64::from(ordinal) * 7 + text.len() as u64;
    NewChunk { ordinal, text: text.into(), heading: vec!["Part".into(), format!("{ordinal}")], span, vector }
}

async fn content_waits_until_its_chunks_are_put(fixture: &dyn Fixture) {
    let given = Given::new(fixture, "conformance-pending");
    given.document("a", "Text of a.", &["ann@acme.test"]).await;
    let pending = given.pending().await;
    assert_eq!(pending.len(), 1);
    let document = &pending[0];
    assert_eq!((document.title.as_str(), document.text.as_str()), ("Title of a", "Text of a."));
    assert_eq!(document.content, ContentHash::of(&document.title, document.format, &document.text));
    let ann = given.caller("ann@acme.test");
    assert_eq!(given.readable(&ann).await, [""; 0], "a document without chunks is not searchable");

    assert!(matches!(given.put(document, &["Text", "of a."]).await, Put::Stored(_)));
    assert_eq!(given.pending().await, []);
    let changes = given.store.changes_since(&given.tenant, &given.recipe, Seq(0), 100).await.expect("changes_since");
    let listed = &changes.documents[0];
    assert_eq!((listed.document, listed.title.as_str()), (document.document, "Title of a"));
    assert!(listed.chunks[0].key < listed.chunks[1].key, "keys ascend with the ordinal");
    for (ordinal, (chunk, text)) in listed.chunks.iter().zip(["Text", "of a."]).enumerate() {
        let put = new_chunk(ordinal as u32, text);
        assert_eq!(
            (chunk.ordinal, &chunk.text, &chunk.heading, &chunk.vector),
            (put.ordinal, &put.text, &put.heading, &put.vector)
        );
    }
    let resolved = given.store.resolve(&ann, &[listed.chunks[1].key]).await.expect("resolve");
    assert_eq!(resolved.len(), 1);
    let (chunk, put) = (&resolved[0], new_chunk(1, "of a."));
    assert_eq!((chunk.chunk, chunk.ordinal, &chunk.text), (listed.chunks[1].key, 1, &put.text));
    assert_eq!((&chunk.heading, &chunk.span), (&put.heading, &put.span));
    assert_eq!((chunk.document.key, chunk.document.id.as_str()), (document.document, "a"));
    assert_eq!(chunk.document.title, "Title of a");
    assert_eq!(Some(&chunk.label.readers), some(&["ann@acme.test"]).as_ref());
    assert!(!chunk.label.trusted, "trust is off by default");

    // The same content again, and a document with nothing in it.
    let end = given.end().await;
    given.document("a", "Text of a.", &["ann@acme.test"]).await;
    assert_eq!(given.pending().await, [], "unchanged content must not be embedded again");
    assert_eq!(given.changes(end).await, []);
    given.document("empty", "", &["ann@acme.test"]).await;
    let pending = given.pending().await;
    assert!(matches!(given.put(&pending[0], &[]).await, Put::Stored(_)));
    assert_eq!(given.pending().await, [], "an empty set of chunks is an answer");
}

async fn chunks_of_replaced_content_are_never_served(fixture: &dyn Fixture) {
    let given = Given::new(fixture, "conformance-replaced");
    let ann = given.caller("ann@acme.test");
    given.document("a", "First.", &["ann@acme.test"]).await;
    let first = given.pending().await.remove(0);
    given.settle().await;
    let old = given.all_chunks().await;
    given.document("a", "Second.", &["ann@acme.test"]).await;
    assert_eq!(given.readable(&ann).await, [""; 0], "old chunks of new content");
    assert_eq!(given.store.resolve(&ann, &old).await.expect("resolve"), []);

    let end = given.end().await;
    assert_eq!(given.put(&first, &["First."]).await, Put::Superseded);
    assert_eq!(given.end().await, end, "a superseded put must write nothing");
    given.settle().await;
    assert_eq!(given.readable(&ann).await, ["a"]);
    let new = given.all_chunks().await;
    assert!(new.iter().all(|key| !old.contains(key)), "a key was given twice");
    assert_eq!(given.store.resolve(&ann, &old).await.expect("resolve"), []);
    assert_eq!(given.changes(end).await.len(), 1, "new chunks take a seq");
}

async fn access_decides_what_is_readable(fixture: &dyn Fixture) {
    let given = Given::new(fixture, "conformance-access");
    let (ann, bo) = (given.caller("ann@acme.test"), given.caller("bo@other.test"));
    given.document("ann", "For Ann.", &["ann@acme.test"]).await;
    given.document("both", "For both.", &["ann@acme.test", "bo@other.test"]).await;
    given.document("domain", "For the company.", &[]).await;
    let acme = Readers { domains: ["acme.test".to_owned()].into(), ..Readers::default() };
    given.fixture.set_readers(&given.tenant, "domain", Some(acme.clone())).await;
    given.document("public", "For everyone.", &[]).await;
    given.fixture.set_readers(&given.tenant, "public", Some(Readers { anyone: true, ..Readers::default() })).await;
    given.document("nobody", "For nobody.", &[]).await;
    given.document("unknown", "For whom?", &["ann@acme.test"]).await;
    given.fixture.set_readers(&given.tenant, "unknown", None).await;
    given.settle().await;
    assert_eq!(given.readable(&ann).await, ["ann", "both", "domain", "public"]);
    assert_eq!(given.readable(&bo).await, ["both", "public"]);
    let nobody = Caller { tenant: given.tenant.clone(), subject: "ann@acme.test".into(), emails: vec![] };
    assert_eq!(given.readable(&nobody).await, ["public"], "a subject is no verified address");

    let end = given.end().await;
    given.fixture.set_readers(&given.tenant, "both", some(&["bo@other.test"])).await;
    given.fixture.set_readers(&given.tenant, "ann", None).await;
    given.fixture.set_readers(&given.tenant, "unknown", some(&["ann@acme.test"])).await;
    assert_eq!(given.readable(&ann).await, ["domain", "public", "unknown"], "access holds from its commit on");
    assert_eq!(given.changes(end).await, [], "access alone changes no chunks");
    assert_eq!(given.pending().await, []);

    let all = given.all_chunks().await;
    let resolved = given.store.resolve(&ann, &all).await.expect("resolve");
    let domain = resolved.iter().find(|chunk| chunk.document.id == "domain").expect("Ann may read it");
    assert!(domain.label.readers.include(&acme) && acme.include(&domain.label.readers), "{:?}", domain.label);
}

async fn a_deletion_is_listed_and_final(fixture: &dyn Fixture) {
    let given = Given::new(fixture, "conformance-deletion");
    let ann = given.caller("ann@acme.test");
    given.document("a", "Here.", &["ann@acme.test"]).await;
    given.document("b", "There.", &["ann@acme.test"]).await;
    given.settle().await;
    let (end, chunks) = (given.end().await, given.changes(Seq(0)).await);
    let key = given.store.resolve(&ann, &given.all_chunks().await).await.expect("resolve");
    let key = key.iter().find(|chunk| chunk.document.id == "a").expect("a is readable").document.key;
    given.fixture.delete(&given.tenant, "a").await;
    assert_eq!(given.readable(&ann).await, ["b"]);
    assert_eq!(given.changes(end).await, [(key, vec![])], "a deletion must be listed, with no chunks");
    assert!(given.end().await > end);
    for (_, chunks) in &chunks {
        let resolved = given.store.resolve(&ann, chunks).await.expect("resolve");
        assert!(resolved.iter().all(|chunk| chunk.document.id == "b"));
    }

    given.document("a", "Here.", &["ann@acme.test"]).await;
    given.settle().await;
    assert_eq!(given.readable(&ann).await, ["a", "b"]);
    let again = given.all_chunks().await;
    let old = chunks.iter().filter(|(document, _)| *document == key).flat_map(|(_, chunks)| chunks);
    assert!(old.clone().all(|chunk| !again.contains(chunk)), "a key of a deleted chunk was given again");
}

async fn changes_come_in_order_and_in_pages(fixture: &dyn Fixture) {
    let given = Given::new(fixture, "conformance-changes");
    assert_eq!(given.end().await, Seq(0), "a history starts at zero");
    for id in ["a", "b", "c", "d", "e"] {
        given.document(id, &format!("Text of {id}."), &["ann@acme.test"]).await;
    }
    given.settle().await;
    given.document("b", "Other text.", &["ann@acme.test"]).await;
    given.settle().await;
    let (mut since, mut titles) = (Seq(0), Vec::new());
    loop {
        let page = given.store.changes_since(&given.tenant, &given.recipe, since, 2).await.expect("changes_since");
        assert!(page.documents.len() <= 2);
        for document in &page.documents {
            assert!(document.seq > since, "out of order");
            since = document.seq;
            titles.push(document.title.clone());
        }
        assert!(page.next >= since);
        since = page.next;
        if !page.more {
            break;
        }
    }
    assert_eq!(titles.len(), 5, "each document once: {titles:?}");
    assert_eq!(titles[4], "Title of b");
    assert!(since >= given.end().await);
    let (one, two) = (given.store.history(&given.tenant).await, given.store.history(&given.tenant).await);
    assert_eq!(one.expect("history").id, two.expect("history").id);
}

async fn a_new_recipe_makes_everything_wait(fixture: &dyn Fixture) {
    let mut given = Given::new(fixture, "conformance-recipe");
    let ann = given.caller("ann@acme.test");
    given.document("a", "Text.", &["ann@acme.test"]).await;
    given.settle().await;
    given.recipe = Recipe::new("test/2");
    assert_eq!(given.pending().await.len(), 1);
    assert!(given.store.readable(&ann, &given.recipe).await.expect("readable").is_empty());
    assert!(given.all_chunks().await.is_empty(), "vectors of another recipe must not be listed");
    given.settle().await;
    assert_eq!(given.readable(&ann).await, ["a"]);
}

async fn tenants_do_not_meet(fixture: &dyn Fixture) {
    let (one, two) = (Given::new(fixture, "conformance-one"), Given::new(fixture, "conformance-two"));
    one.document("a", "Text of one.", &["ann@acme.test"]).await;
    one.settle().await;
    let of_one = one.all_chunks().await;
    assert_eq!(two.pending().await, []);
    assert_eq!(two.changes(Seq(0)).await, []);
    let ann = two.caller("ann@acme.test");
    assert_eq!(two.store.resolve(&ann, &of_one).await.expect("resolve"), [], "a chunk crossed tenants");
    assert!(two.store.readable(&ann, &two.recipe).await.expect("readable").is_empty());

    two.document("a", "Text of two.", &["ann@acme.test"]).await;
    let waiting = two.pending().await.remove(0);
    assert_eq!(one.put(&waiting, &["forged"]).await, Put::Superseded, "chunks were put across tenants");
    two.settle().await;
    assert_eq!(one.readable(&one.caller("ann@acme.test")).await, ["a"]);
    assert_eq!(one.all_chunks().await, of_one);
}
