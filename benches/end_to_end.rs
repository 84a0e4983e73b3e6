//! Gzip to the finished analysis as JSON, all cores.

use divan::Bencher;
use divan::counter::BytesCount;
use flowcinch::cloud::Access;
use flowcinch::pipeline::analyze::analyze;
use flowcinch::pipeline::request::Assign;
use flowcinch::pipeline::request::MinConfidence;
use flowcinch::pipeline::request::Obligations;
use flowcinch::pipeline::request::Request;
use flowcinch::report::document::Analysis;

use crate::corpus::CORPUS;
use crate::corpus::Corpus;
use crate::inflate::Silent;

fn request(corpus: &Corpus) -> Request {
    Request {
        logs: vec![corpus.logs()],
        access: Access::default(),
        digests: Vec::new(),
        snapshots: vec![corpus.snapshot()],
        fields: None,
        since: None,
        until: None,
        threads: None,
        memory: None,
        rule_quota: 60,
        limits: flowcinch::tighten::Limits::default(),
        min_confidence: MinConfidence::default(),
        obligations: Obligations::default(),
        assign: Assign::default(),
    }
}

fn run(request: &Request) -> Analysis {
    analyze(request, &Silent).expect("the corpus can be analysed")
}

#[divan::bench]
fn end_to_end(bencher: Bencher<'_, '_>) {
    let corpus = &*CORPUS;
    let request = request(corpus);
    let ingest = run(&request).ingest;
    assert_eq!(ingest.records, corpus.records);
    bencher
        .counter(BytesCount::new(corpus.bytes))
        .bench(|| serde_json::to_vec(&run(&request)).expect("an analysis is JSON"));
}
