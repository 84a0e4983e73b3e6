//! Digests in S3: the same files as on disk, the same answers, whoever else
//! writes and whenever a run ends.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::case::Run;
use crate::cloud;
use crate::cloud::Cloud;
use crate::s3::assert_same;
use crate::s3::local;
use crate::s3::make;
use crate::s3::objects;
use crate::s3::server::BUCKET;
use crate::s3::server::Manners;
use crate::s3::server::Server;

const FLAGS: [&str; 7] = [
    "--records",
    "3000",
    "--days",
    "3",
    "--seed",
    "5",
    "--rule-changes",
];

fn address(name: &str) -> String {
    format!("s3://{BUCKET}/{name}")
}

fn command<'a>(words: &[&'a str], url: &'a str) -> Vec<&'a str> {
    [
        words,
        &["--endpoint-url", url, "--read-timeout", "1", "--quiet"],
    ]
    .concat()
}

fn ingest(cloud: &Cloud, server: &Server, logs: &str, digest: &str) -> Run {
    let url = server.url();
    let digest = address(digest);
    let words = ["ingest", logs, "--digest", &digest, "--memory", "300K"];
    cloud.case.run(&command(&words, &url))
}

#[track_caller]
fn done(run: &Run) {
    assert!(matches!(run.status, Some(0 | 3)), "{}", run.stderr);
}

fn analyze(cloud: &Cloud, server: &Server, digests: &[&str]) -> Vec<u8> {
    let url = server.url();
    let digests: Vec<String> = digests.iter().map(|name| address(name)).collect();
    let named = digests.iter().flat_map(|digest| ["--digest", digest]);
    let all: Vec<&str> = named.collect();
    let tail = ["--endpoint-url", &url, "--read-timeout", "1"];
    cloud.analyze(&[&all[..], &tail].concat())
}

/// A digest on disk, by path; its lock aside, which holds nothing.
fn on_disk(cloud: &Cloud, digest: &str) -> BTreeMap<String, Vec<u8>> {
    let root = cloud.case.path(digest);
    let files = cloud::files(&root).into_iter().map(|path| {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
        (name.to_owned(), fs::read(&path).unwrap())
    });
    files.filter(|(name, _)| name != "lock").collect()
}

#[test]
fn a_digest_in_a_bucket_holds_the_files_of_one_on_disk() {
    let cloud = make(&FLAGS);
    let server = Server::start(BTreeMap::new(), Manners::default());
    done(&ingest(&cloud, &server, "made/logs", "d/all"));
    done(&cloud.case.run(&[
        "ingest",
        "made/logs",
        "--digest",
        "all",
        "--memory",
        "300K",
        "--quiet",
    ]));
    let there = server.below("d/all/");
    assert!(there.len() > 10, "{:?}", there.keys());
    assert!(there == on_disk(&cloud, "all"), "{:?}", there.keys());
    // What is there is not read again.
    done(&ingest(&cloud, &server, "made/logs", "d/all/"));
    assert!(there == server.below("d/all/"));
    assert_same(&analyze(&cloud, &server, &["d/all"]), &local(&cloud, &[]));
    // A day that is deleted is dropped, and said.
    let merged = command(
        &[
            "merge",
            "s3://flow-logs/d/all",
            "--into",
            "s3://flow-logs/one/",
        ],
        "",
    );
    let url = server.url();
    let merged: Vec<&str> = merged
        .iter()
        .map(|word| if word.is_empty() { url.as_str() } else { word })
        .collect();
    done(&cloud.case.run(&merged));
    done(
        &cloud
            .case
            .run(&["merge", "all", "--into", "one", "--quiet"]),
    );
    assert!(server.below("one/") == on_disk(&cloud, "one"));
}

#[test]
fn logs_and_digest_may_both_lie_in_buckets_that_fail_now_and_then() {
    let cloud = make(&FLAGS);
    let manners = Manners {
        trouble_in: 9,
        ..Manners::default()
    };
    let server = Server::start(objects(&cloud), manners);
    done(&ingest(&cloud, &server, &address("org/"), "kept"));
    assert!(server.troubles() > 5, "{}", server.troubles());
    let hidden = server.below("kept/").into_keys();
    let hidden: Vec<String> = hidden.filter(|key| key.contains("/.")).collect();
    assert_eq!(hidden, [""; 0]);
    assert!(!server.below("kept/").contains_key("lock"));
    assert_same(&analyze(&cloud, &server, &["kept"]), &local(&cloud, &[]));
}

#[test]
fn a_run_that_lives_keeps_others_out_and_one_that_ended_does_not() {
    let cloud = make(&FLAGS);
    let server = Server::start(BTreeMap::new(), Manners::default());
    let words = |beat: u64| {
        let text = format!(
            "{{\"schema\": \"flowcinch.lock.v1\", \"holder\": \"x\", \"beat\": {beat}, \"every\": 200}}"
        );
        text.into_bytes()
    };
    server.place("d/lock", &words(0));
    let lives = AtomicBool::new(true);
    thread::scope(|scope| {
        scope.spawn(|| {
            for beat in 1.. {
                if !lives.load(Ordering::SeqCst) {
                    break;
                }
                server.place("d/lock", &words(beat));
                thread::sleep(Duration::from_millis(100));
            }
        });
        let refused = ingest(&cloud, &server, "made/logs", "d");
        lives.store(false, Ordering::SeqCst);
        assert_eq!(refused.status, Some(2), "{}", refused.stderr);
        let said = "is being written to by another run";
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
    });
    assert_eq!(server.below("d/").len(), 1);
    done(&ingest(&cloud, &server, "made/logs", "d"));
    assert!(!server.below("d/").contains_key("lock"));
    assert_same(&analyze(&cloud, &server, &["d"]), &local(&cloud, &[]));
}

#[test]
fn what_is_no_digest_is_not_written_to() {
    let cloud = make(&FLAGS);
    let server = Server::start(objects(&cloud), Manners::default());
    let before = server.below("");
    let refused = ingest(&cloud, &server, "made/logs", "org");
    assert_eq!(refused.status, Some(2), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("is no digest"),
        "{}",
        refused.stderr
    );
    assert!(server.below("") == before);
    let url = server.url();
    let words = ["--digest", "s3://flow-logs/none", "--endpoint-url", &url];
    let missing = cloud.run_with(&words, b"");
    assert_eq!(missing.status, Some(2));
    assert!(
        missing.stderr.contains("does not exist"),
        "{}",
        missing.stderr
    );
}

#[test]
fn killed_at_any_moment_and_started_again_it_ends_as_if_undisturbed() {
    // FLOWCINCH_KILLS asks for more of them.
    #[expect(clippy::disallowed_methods, reason = "a test's own setting")]
    let kills = std::env::var("FLOWCINCH_KILLS");
    let kills: u32 = kills.ok().and_then(|kills| kills.parse().ok()).unwrap_or(3);
    let cloud = make(&FLAGS);
    let server = Server::start(BTreeMap::new(), Manners::default());
    let begun = Instant::now();
    done(&ingest(&cloud, &server, "made/logs", "calm"));
    let whole = begun.elapsed();
    let calm = analyze(&cloud, &server, &["calm"]);
    let url = server.url();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..kills {
        let digest = address(&format!("killed{round}"));
        let words = [
            "ingest",
            "made/logs",
            "--digest",
            &digest,
            "--memory",
            "300K",
        ];
        let mut child = cloud.case.command(&command(&words, &url)).spawn().unwrap();
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let share = f64::from(u32::try_from(random >> 40).unwrap()) / f64::from(1 << 24);
        thread::sleep(whole.mul_f64(share));
        child.kill().unwrap();
        child.wait().unwrap();
        done(&ingest(
            &cloud,
            &server,
            "made/logs",
            &format!("killed{round}"),
        ));
        let there = server.below(&format!("killed{round}/")).into_keys();
        let left: Vec<String> = there
            .filter(|key| key.contains("/.") || key == "lock")
            .collect();
        assert_eq!(left, [""; 0]);
        let name = format!("killed{round}");
        assert!(analyze(&cloud, &server, &[&name]) == calm, "{name}");
    }
}
