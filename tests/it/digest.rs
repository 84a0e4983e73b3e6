//! Digests through the program: the same bytes of analysis as from logs, in
//! however many digests they are; runs that are killed, that meet, that find
//! damage.

use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use crate::case::Case;
use crate::case::Run;
use crate::cloud;
use crate::cloud::Cloud;

/// A cloud whose rules change, with bad lines, an object cut short and lost
/// hours.
fn cloud() -> Cloud {
    let flags = [
        "--records",
        "3000",
        "--seed",
        "21",
        "--churn",
        "--rule-changes",
    ];
    let cloud = Cloud::make(&[&flags[..], &["--ipv6", "--skip-share", "0.02", "--plain"]].concat());
    let objects = cloud.objects();
    let mut text = fs::read_to_string(&objects[1]).unwrap();
    text.push_str("no record\n");
    fs::write(&objects[1], text).unwrap();
    let packed = cloud::gzip(fs::read(&objects[2]).unwrap());
    fs::write(&objects[2], &packed[..packed.len() / 2]).unwrap();
    cloud
}

fn relative(cloud: &Cloud) -> Vec<String> {
    let root = cloud.case.path("");
    let name = |path: &PathBuf| {
        path.strip_prefix(&root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    cloud.objects().iter().map(name).collect()
}

fn done(case: &Case, args: &[&str]) -> Run {
    let run = case.run(args);
    assert!(
        matches!(run.status, Some(0 | 3)),
        "{args:?}: {:?} {}",
        run.status,
        run.stderr
    );
    run
}

fn ingest(cloud: &Cloud, objects: &[&String], digest: &str) {
    let mut args = vec!["ingest", "--quiet", "--digest", digest];
    args.extend(objects.iter().map(|object| object.as_str()));
    done(&cloud.case, &args);
}

/// Every file of a digest by its path, but for the lock.
fn content(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = cloud::files(folder).into_iter();
    let files = files.filter(|path| !path.ends_with("lock"));
    files
        .map(|path| {
            (
                path.strip_prefix(folder).unwrap().to_owned(),
                fs::read(&path).unwrap(),
            )
        })
        .collect()
}

/// What a digest says, however its batches are cut.
fn canonical(case: &Case, digest: &str, into: &str) -> Vec<(PathBuf, Vec<u8>)> {
    done(case, &["merge", digest, "--into", into, "--quiet"]);
    content(&case.path(into))
}

#[test]
fn one_seven_or_sixty_four_digests_give_the_bytes_that_logs_give() {
    let cloud = cloud();
    let objects = relative(&cloud);
    let expected = cloud.analyze(&["made/logs"]);
    assert!(expected.len() > 10_000);
    let document = cloud::json(&expected);
    assert_eq!(document["ingest"]["malformed"], 1);
    assert_eq!(
        document["ingest"]["unreadable"].as_array().unwrap().len(),
        1
    );
    let mut written = Vec::new();
    for digests in [1, 7, 64] {
        let names: Vec<String> = (0..digests).map(|n| format!("of{digests}/{n}")).collect();
        for (number, name) in names.iter().enumerate() {
            // Each object is in its own digest, every fifth in the next one too.
            let own = objects.iter().enumerate().filter(|(at, _)| {
                at % digests == number || (at % 5 == 0 && (at + 1) % digests == number)
            });
            let own: Vec<&String> = own.map(|(_, object)| object).collect();
            if !own.is_empty() {
                ingest(&cloud, &own, name);
            }
        }
        let mut names: Vec<&str> = names
            .iter()
            .map(String::as_str)
            .filter(|name| cloud.case.path(name).exists())
            .collect();
        let side_by_side: Vec<&str> = names.iter().flat_map(|name| ["--digest", name]).collect();
        assert!(
            cloud.analyze(&side_by_side) == expected,
            "{digests} digests"
        );
        // Merged in one order, then in the other, in two steps.
        let into = format!("into{digests}");
        done(
            &cloud.case,
            &[&["merge", "--quiet", "--into", &into], &names[..]].concat(),
        );
        assert!(
            cloud.analyze(&["--digest", &into]) == expected,
            "{digests} merged"
        );
        names.reverse();
        let back = format!("back{digests}");
        let (first, second) = names.split_at(names.len().div_ceil(2));
        for part in [first, second] {
            if !part.is_empty() {
                done(
                    &cloud.case,
                    &[&["merge", "--quiet", "--into", &back], part].concat(),
                );
            }
        }
        assert!(content(&cloud.case.path(&into)) == content(&cloud.case.path(&back)));
        written.push(content(&cloud.case.path(&into)));
    }
    assert!(
        written.windows(2).all(|two| two[0] == two[1]),
        "digests differ"
    );
}

#[test]
fn logs_beside_a_digest_that_has_some_of_them_count_once() {
    let cloud = cloud();
    let objects = relative(&cloud);
    let half: Vec<&String> = objects.iter().step_by(2).collect();
    ingest(&cloud, &half, "half");
    let expected = cloud.analyze(&["made/logs"]);
    assert!(cloud.analyze(&["made/logs", "--digest", "half"]) == expected);
    assert!(cloud.analyze(&["made/logs", "--digest", "half", "--threads", "1"]) == expected);
    // The rest, given as a folder: what is known is not read again.
    let run = done(
        &cloud.case,
        &[
            "ingest",
            "made/logs",
            "--digest",
            "half",
            "--format",
            "json",
        ],
    );
    let document = cloud::json(&run.stdout);
    assert_eq!(
        cloud::number(&document, "objects_known"),
        u64::try_from(half.len()).unwrap()
    );
    assert!(cloud.analyze(&["--digest", "half"]) == expected);
}

#[test]
fn a_copy_under_another_folder_is_the_same_object() {
    let cloud = cloud();
    done(&cloud.case, &["ingest", "made/logs", "--digest", "digest"]);
    fs::rename(cloud.case.path("made/logs"), cloud.case.path("moved")).unwrap();
    let run = done(
        &cloud.case,
        &["ingest", "moved", "--digest", "digest", "--format", "json"],
    );
    assert_eq!(cloud::json(&run.stdout)["objects_read"], 0);
}

#[test]
fn whole_hours_of_a_digest_are_those_of_the_logs() {
    let cloud = cloud();
    done(&cloud.case, &["ingest", "made/logs", "--digest", "digest"]);
    let window = cloud::json(&cloud.analyze(&["made/logs"]))["window"]["start"].clone();
    let day = window.as_str().unwrap().split_at(11).0.to_owned();
    let span = [
        ["--since".to_owned(), format!("{day}03:00:00Z")],
        ["--until".to_owned(), format!("{day}14:59:59Z")],
    ]
    .concat();
    let span: Vec<&str> = span.iter().map(String::as_str).collect();
    let logs = cloud.analyze(&[&["made/logs"], &span[..]].concat());
    assert!(cloud::number(&cloud::json(&logs)["ingest"], "outside_window") > 0);
    let digest = cloud.analyze(&[&["--digest", "digest"], &span[..]].concat());
    assert!(logs == digest);
    // Any other bound is widened, and that is said.
    let odd = format!("{day}03:20:00Z");
    let widened = cloud.analyze(&["--digest", "digest", "--since", &odd, span[2], span[3]]);
    let mut document = cloud::json(&widened);
    let caveats = document["caveats"].as_array_mut().unwrap();
    let before = caveats.len();
    caveats.retain(|caveat| caveat["code"] != "FL312");
    assert_eq!(before, caveats.len() + 1);
    assert_eq!(document, cloud::json(&digest));
}

/// Waits some milliseconds, kills the process for good, and says whether it
/// was still running.
fn kill_after(mut child: std::process::Child, wait: Duration) -> bool {
    std::thread::sleep(wait);
    let running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    running
}

#[test]
fn killed_at_any_moment_and_started_again_it_ends_as_if_undisturbed() {
    // FLOWCINCH_KILLS asks for more of them.
    #[expect(clippy::disallowed_methods, reason = "a test's own setting")]
    let kills = std::env::var("FLOWCINCH_KILLS");
    let kills: u64 = kills.ok().and_then(|kills| kills.parse().ok()).unwrap_or(5);
    let cloud = cloud();
    let args = [
        "ingest",
        "made/logs",
        "--memory",
        "300K",
        "--quiet",
        "--digest",
    ];
    let begun = Instant::now();
    done(&cloud.case, &[&args[..], &["calm"]].concat());
    let whole = begun.elapsed();
    let batches = cloud::files(&cloud.case.path("calm/batches")).len();
    assert!(batches > 5, "{batches} batches leave few moments");
    let calm = canonical(&cloud.case, "calm", "calm-merged");
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut struck = 0;
    let mut round = 0;
    while struck < kills {
        round += 1;
        let digest = format!("killed{round}");
        // Again and again into one digest, until it gets to its end.
        loop {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let wait = whole.mul_f64(
                f64::from(u32::try_from(random >> 40).unwrap()) / f64::from(1 << 24) * 1.1,
            );
            let child = cloud
                .case
                .command(&[&args[..], &[&digest]].concat())
                .spawn();
            if !kill_after(child.unwrap(), wait) {
                break;
            }
            struck += 1;
            if struck % 3 == 0 {
                break;
            }
        }
        done(&cloud.case, &[&args[..], &[&digest]].concat());
        let hidden = cloud::files(&cloud.case.path(&digest));
        let hidden = hidden
            .iter()
            .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with('.'));
        assert_eq!(hidden.count(), 0, "leftovers in {digest}");
        let merged = canonical(&cloud.case, &digest, &format!("{digest}-merged"));
        assert!(merged == calm, "{digest} after {struck} kills");
        fs::remove_dir_all(cloud.case.path(&digest)).unwrap();
        fs::remove_dir_all(cloud.case.path(&format!("{digest}-merged"))).unwrap();
    }
}

#[test]
fn two_at_once_are_one_after_the_other_or_refused() {
    let cloud = cloud();
    done(&cloud.case, &["ingest", "made/logs", "--digest", "calm"]);
    let calm = canonical(&cloud.case, "calm", "calm-merged");
    for round in 0..3 {
        let digest = format!("both{round}");
        let args = [
            "ingest",
            "made/logs",
            "--memory",
            "300K",
            "--quiet",
            "--digest",
            &digest,
        ];
        let children = [0, 1].map(|_| cloud.case.command(&args).spawn().unwrap());
        for child in children {
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            match output.status.code() {
                Some(0 | 3) => {}
                Some(2) => assert!(
                    said.contains("is being written to by another run"),
                    "{said}"
                ),
                other => panic!("{other:?}: {said}"),
            }
        }
        done(&cloud.case, &args);
        assert!(canonical(&cloud.case, &digest, &format!("{digest}-merged")) == calm);
    }
}

#[test]
fn a_digest_that_is_locked_is_not_written_to_and_can_be_read() {
    let cloud = cloud();
    done(&cloud.case, &["ingest", "made/logs", "--digest", "digest"]);
    let lock = File::options()
        .write(true)
        .open(cloud.case.path("digest/lock"))
        .unwrap();
    lock.lock().unwrap();
    let run = cloud
        .case
        .run(&["ingest", "made/logs", "--digest", "digest"]);
    assert_eq!(run.status, Some(2));
    assert!(
        run.stderr.contains("start again when that has ended"),
        "{}",
        run.stderr
    );
    let run = cloud.case.run(&["merge", "digest", "--into", "digest"]);
    assert_eq!(run.status, Some(2));
    assert!(cloud.analyze(&["--digest", "digest"]) == cloud.analyze(&["made/logs"]));
}

/// The only evidence file of the first day.
fn evidence(cloud: &Cloud) -> PathBuf {
    cloud::files(&cloud.case.path("digest/evidence")).remove(0)
}

fn refused(cloud: &Cloud, what: &str) {
    let run = cloud.run_with(&["--digest", "digest"], b"");
    assert_eq!(run.status, Some(2), "{what}: {}", run.stderr);
    assert!(run.stderr.contains(what), "{what}: {}", run.stderr);
    assert!(run.stdout.is_empty());
}

#[test]
fn damage_is_named_and_nothing_is_said_on_its_ground() {
    let cloud = cloud();
    done(&cloud.case, &["ingest", "made/logs", "--digest", "digest"]);
    let path = evidence(&cloud);
    let sound = fs::read(&path).unwrap();
    fs::write(&path, &sound[..sound.len() / 2]).unwrap();
    refused(&cloud, "is damaged: it has");
    let mut flipped = sound.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    fs::write(&path, &flipped).unwrap();
    refused(&cloud, "is damaged: its checksum is another");
    fs::write(&path, &sound).unwrap();
    // Beside another file of the day it is missing; alone, the day is dropped.
    fs::write(path.with_file_name("note.txt"), "a note").unwrap();
    fs::remove_file(&path).unwrap();
    refused(&cloud, "is missing");
    fs::write(&path, &sound).unwrap();
    let foreign = path.with_file_name("foreign.parquet");
    fs::write(&foreign, &sound).unwrap();
    refused(&cloud, "belongs to no batch of the digest");
    fs::remove_file(&foreign).unwrap();
    let batch = cloud::files(&cloud.case.path("digest/batches")).remove(0);
    let manifest = fs::read(&batch).unwrap();
    fs::write(&batch, "{}").unwrap();
    refused(&cloud, "is damaged");
    fs::remove_file(&batch).unwrap();
    refused(&cloud, "belongs to no batch of the digest");
    fs::write(&batch, manifest).unwrap();
    fs::write(
        cloud.case.path("digest/digest.json"),
        "{\"schema\": \"flowcinch.digest.v9\"}",
    )
    .unwrap();
    refused(&cloud, "of another version");
    fs::remove_file(cloud.case.path("digest/digest.json")).unwrap();
    refused(&cloud, "is no digest");
}

#[test]
fn what_is_no_digest_is_not_made_one() {
    let cloud = cloud();
    let run = cloud.case.run(&["ingest", "made/logs", "--digest", "made"]);
    assert_eq!(run.status, Some(2));
    assert!(run.stderr.contains("`made` is no digest"), "{}", run.stderr);
    assert!(!cloud.case.path("made/lock").exists());
    let run = cloud.case.run(&["merge", "nowhere", "--into", "all"]);
    assert_eq!(run.status, Some(2));
    assert!(
        run.stderr.contains("`nowhere` does not exist"),
        "{}",
        run.stderr
    );
    let run = cloud
        .case
        .run_with(&["ingest", "-", "--digest", "new"], b"x");
    assert_eq!(run.status, Some(2));
    assert!(
        run.stderr.contains("standard input has no name"),
        "{}",
        run.stderr
    );
    let run = cloud
        .case
        .run(&["ingest", "made/logs", "--digest", "new", "--since", "1d"]);
    assert!(
        run.stderr.contains("keeps each object whole"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_day_is_dropped_by_deleting_its_folder() {
    let cloud = Cloud::make(&["--records", "3000", "--seed", "4", "--days", "3"]);
    done(&cloud.case, &["ingest", "made/logs", "--digest", "digest"]);
    let days = cloud.case.path("digest/evidence");
    let mut folders: Vec<PathBuf> = fs::read_dir(&days)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    assert!(folders.len() >= 3, "{folders:?}");
    let before = cloud::json(&cloud.analyze(&["--digest", "digest"]));
    fs::remove_dir_all(&folders[0]).unwrap();
    let after = cloud::json(&cloud.analyze(&["--digest", "digest"]));
    let records = |document: &serde_json::Value| cloud::number(&document["ingest"], "records");
    assert!(records(&after) < records(&before) && records(&after) > 0);
    assert!(
        cloud::number(&after["ingest"], "objects") < cloud::number(&before["ingest"], "objects")
    );
    let said = |document: &serde_json::Value| document["caveats"].to_string().contains("FL311");
    assert!(said(&after) && !said(&before));
    let run = done(
        &cloud.case,
        &[
            "ingest",
            "made/logs",
            "--digest",
            "digest",
            "--format",
            "json",
        ],
    );
    assert_eq!(cloud::json(&run.stdout)["objects_read"], 0);
    assert_eq!(cloud::json(&cloud.analyze(&["--digest", "digest"])), after);
    // A merge keeps the memory of it.
    done(&cloud.case, &["merge", "digest", "--into", "merged"]);
    assert_eq!(cloud::json(&cloud.analyze(&["--digest", "merged"])), after);
}

#[test]
fn a_full_disk_stops_the_run_and_not_the_next() {
    let cloud = cloud();
    done(&cloud.case, &["ingest", "made/logs", "--digest", "calm"]);
    let calm = canonical(&cloud.case, "calm", "calm-merged");
    // No file may grow beyond 8 KiB, which the evidence does.
    let program = env!("CARGO_BIN_EXE_flowcinch");
    let script =
        format!("trap '' XFSZ; ulimit -f 8; exec {program} ingest made/logs --digest digest");
    let run = Command::new("sh")
        .args(["-c", &script])
        .current_dir(cloud.case.path(""))
        .output()
        .unwrap();
    let said = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(2), "{said}");
    assert!(said.contains("cannot be written"), "{said}");
    done(&cloud.case, &["ingest", "made/logs", "--digest", "digest"]);
    assert!(canonical(&cloud.case, "digest", "merged") == calm);
}
