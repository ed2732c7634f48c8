//! `sallyport bench` measures what it says it measures. The figures of a build for development say nothing, and are not
//! judged: that each is there, from something that worked, is.

use sallyport_bench::Setup;
use sallyport_e2e::{block_on, connectors, fails, program};

#[test]
fn every_figure_is_measured_beside_another() {
    let [hello, drive] = <[_; 2]>::try_from(connectors(&["sdk/examples/hello", "plugins/google-drive"])).expect("two");
    let setup = Setup {
        hello,
        drive,
        program: program().to_owned(),
        rounds: 50,
        documents: 60,
        canaries: 60,
        connections: 60,
        held: 60,
        only: Vec::new(),
        entries: 2_000,
    };
    let report = block_on(sallyport_bench::run(&setup, &|step| println!("measuring {step}"))).expect("it measures");
    for figure in &report.figures {
        println!("{}: {} | {} | {}", figure.name, figure.value, figure.beside, figure.target.unwrap_or("-"));
        let counts = |text: &str| text.chars().any(|c| c.is_ascii_digit());
        assert!(counts(&figure.value) && counts(&figure.beside), "{figure:?}");
    }
    let canary = report.figures.iter().find(|figure| figure.target == Some("0 in 10,000 runs")).expect("it is there");
    assert_eq!(canary.value, "0 in 60 runs");
    let rotation = report.figures.iter().find(|figure| figure.target == Some("0 failed")).expect("it is there");
    assert!(rotation.value.contains("61 data keys; 0 of "), "{rotation:?}");
    let held = report.figures.iter().find(|figure| figure.target == Some("≤ 50 MB")).expect("it is there");
    assert!(held.value.contains(" for 60 held invocations"), "{held:?}");
    let targets: Vec<_> = report.figures.iter().filter_map(|figure| figure.target).collect();
    assert_eq!(
        targets,
        [
            "added p50 ≤ 200 µs",
            "p50 ≤ 60 µs",
            "≤ 1 ms",
            "p50 ≤ 60 µs",
            "≥ 1 GB/s",
            "≤ 20 ms",
            "≤ the limit + 16 MiB",
            "< 20 %",
            "0 in 10,000 runs",
            "≤ 5 µs",
            "1 refresh; ≤ 50 ms",
            "none waits for another's refresh",
            "0 failed",
            "≤ 40 µs",
            "≤ 2 flushes",
            "≥ 10 times one writer",
            "≤ 2 ms",
            "≤ 50 MB",
            "< 5 s"
        ]
    );
}

#[test]
fn a_host_built_for_development_refuses_to_be_measured() {
    let error = fails(&["bench"]);
    assert!(error.contains("cargo run --release --bin sallyport -- bench"), "{error}");
}
