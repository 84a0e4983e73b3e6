//! The same records give the same bytes, however many threads read them and
//! however they are cut into objects.

use std::fs;

use serde_json::Value;

use crate::cloud;
use crate::cloud::Cloud;

/// Clouds with every peculiarity that could show an order.
fn clouds() -> Vec<Cloud> {
    let versions = ["2", "5", "10"];
    let flags = |version: &'static str| {
        [
            "--records",
            "4000",
            "--seed",
            "11",
            "--churn",
            "--rule-changes",
            "--ipv6",
            "--skip-share",
            "0.01",
            "--format-version",
            version,
        ]
    };
    versions.map(|version| Cloud::make(&flags(version))).into()
}

/// The document without what an object is and costs.
fn but_objects(bytes: &[u8]) -> Value {
    let mut analysis = cloud::json(bytes);
    let ingest = analysis["ingest"].as_object_mut().unwrap();
    for key in ["objects", "compressed_bytes", "text_bytes"] {
        assert!(ingest.remove(key).is_some(), "{key}");
    }
    for sample in ingest["malformed_samples"].as_array_mut().unwrap() {
        sample["object"].take();
    }
    analysis
}

/// Says where two documents part: whole documents would fill the screen.
fn assert_same(one: &[u8], other: &[u8], what: &str) {
    if one == other {
        return;
    }
    let at = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let around = |bytes: &[u8]| {
        let end = bytes.len().min(at + 200);
        String::from_utf8_lossy(&bytes[at.saturating_sub(200)..end]).into_owned()
    };
    panic!(
        "{what}: differs at byte {at}:\n{}\n--\n{}",
        around(one),
        around(other)
    );
}

fn assert_same_but_objects(one: &[u8], other: &[u8], what: &str) {
    let bytes = |document: &[u8]| serde_json::to_vec_pretty(&but_objects(document)).unwrap();
    assert_same(&bytes(one), &bytes(other), what);
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    for cloud in clouds() {
        let one = cloud.analyze(&["made/logs", "--threads", "1"]);
        assert!(one.len() > 10_000);
        for threads in ["2", "4", "8"] {
            let more = cloud.analyze(&["made/logs", "--threads", threads]);
            assert_same(&one, &more, threads);
        }
    }
}

#[test]
fn objects_in_any_order_give_the_same_bytes() {
    for cloud in clouds() {
        let expected = cloud.analyze(&["made/logs"]);
        let objects = cloud.objects();
        // Names in the reverse order of the times.
        for (number, object) in objects.iter().rev().enumerate() {
            let bytes = fs::read(object).unwrap();
            cloud
                .case
                .file(&format!("turned/{number:05}.log.gz"), bytes);
        }
        let turned = cloud.analyze(&["turned", "--threads", "3"]);
        assert_same(&expected, &turned, "renamed");
        let mut names: Vec<&str> = objects.iter().map(|path| path.to_str().unwrap()).collect();
        names.reverse();
        names.rotate_left(objects.len() / 3);
        let listed = cloud.analyze(&[&names[..], &["--threads", "2"]].concat());
        assert_same(&expected, &listed, "listed");
    }
}

#[test]
fn the_same_records_in_other_objects_give_the_same_document() {
    for cloud in clouds() {
        let expected = cloud.analyze(&["made/logs"]);
        let (header, records) = cloud.lines();
        for (number, part) in records.chunks(records.len().div_ceil(30)).enumerate() {
            let text = format!("{header}{}", part.concat());
            cloud.case.file(&format!("thirty/{number}.log"), text);
        }
        let thirty = cloud.analyze(&["thirty", "--threads", "4"]);
        assert_eq!(cloud::json(&thirty)["ingest"]["objects"], 30);
        assert_same_but_objects(&expected, &thirty, "thirty files");
        // Dealt out like cards, so that halves of a conversation part.
        let mut hands = vec![header.clone(); 7];
        for (number, record) in records.iter().enumerate() {
            hands[number % 7].push_str(record);
        }
        for (number, hand) in hands.iter().enumerate() {
            cloud.case.file(&format!("dealt/{number}.log"), hand);
        }
        let dealt = cloud.analyze(&["dealt", "--threads", "4"]);
        assert_same_but_objects(&expected, &dealt, "dealt out");
    }
}

#[test]
fn one_gzip_of_many_members_gives_the_same_document() {
    for cloud in clouds() {
        let expected = cloud.analyze(&["made/logs"]);
        let texts = cloud.texts();
        let members: Vec<u8> = texts.iter().flat_map(cloud::gzip).collect();
        cloud.case.file("one/all.log.gz", &members);
        let one = cloud.analyze(&["one"]);
        assert_same_but_objects(&expected, &one, "one object");
        // Members cut within a line, and padded as tapes are.
        let whole = texts.concat();
        let mut ragged: Vec<u8> = whole
            .as_bytes()
            .chunks(4_099)
            .flat_map(cloud::gzip)
            .collect();
        ragged.extend([0; 512]);
        cloud.case.file("ragged/all", ragged);
        let ragged = cloud.analyze(&["ragged"]);
        assert_same_but_objects(&expected, &ragged, "ragged members");
    }
}

#[test]
fn standard_input_gives_the_same_document() {
    for cloud in clouds() {
        let expected = cloud.analyze(&["made/logs"]);
        let text = cloud.texts().concat();
        let plain = cloud.analyze_with(&["-"], text.as_bytes());
        assert_same_but_objects(&expected, &plain, "plain");
        let packed = cloud.analyze_with(&["-"], &cloud::gzip(&text));
        assert_same_but_objects(&expected, &packed, "packed");
    }
}

#[test]
fn bad_lines_are_the_same_whatever_the_threads() {
    let cloud = Cloud::make(&["--records", "2000", "--seed", "5", "--plain"]);
    for object in cloud.objects().iter().step_by(3) {
        let mut text = fs::read_to_string(object).unwrap();
        text.push_str("not a record\n5 1 2\n");
        fs::write(object, text).unwrap();
    }
    let one = cloud.analyze(&["made/logs", "--threads", "1"]);
    let ingest = &cloud::json(&one)["ingest"];
    assert!(cloud::number(ingest, "malformed") > 20, "{ingest}");
    for threads in ["2", "8"] {
        assert_same(
            &one,
            &cloud.analyze(&["made/logs", "--threads", threads]),
            threads,
        );
    }
}
