//! Flow logs in every form that they are delivered in: the same records give
//! the same analysis, in any mix, cut anywhere; damage is told and costs no
//! more than what it hit.

use std::fs;

use flowcinch::flowlog::Layout;
use flowcinch::flowlog::LineError;
use flowcinch::flowlog::ObjectReader;
use flowcinch::flowlog::Sink;
use flowcinch::model::Row;
use proptest::prelude::any;
use proptest::prop_assert_eq;
use proptest::proptest;
use serde_json::Value;
use serde_json::json;

use crate::cloud;
use crate::cloud::Cloud;
use crate::cloud::list;
use crate::cloud::number;

pub(crate) const FORMS: [&str; 7] = [
    "text",
    "parquet",
    "cloudwatch",
    "subscription",
    "firehose",
    "ocsf",
    "security-lake",
];

fn make(form: &str, version: &str) -> Cloud {
    Cloud::make(&[
        "--records",
        "3000",
        "--seed",
        "5",
        "--days",
        "2",
        "--skip-share",
        "0.01",
        "--ipv6",
        "--format-version",
        version,
        "--form",
        form,
    ])
}

/// The document without what an object is called and costs.
fn said(bytes: &[u8]) -> Value {
    let mut analysis = cloud::json(bytes);
    let ingest = analysis["ingest"].as_object_mut().unwrap();
    ingest.remove("compressed_bytes");
    ingest.remove("text_bytes");
    analysis
}

fn first_difference(one: &Value, other: &Value, at: &str) -> Option<String> {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => a
            .iter()
            .find_map(|(key, value)| first_difference(value, &other[key], &format!("{at}.{key}"))),
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(n, (a, b))| first_difference(a, b, &format!("{at}[{n}]")))
        }
        (one, other) => (one != other).then(|| format!("{at}: {one} and {other}")),
    }
}

fn assert_same(one: &Value, other: &Value, what: &str) {
    if let Some(difference) = first_difference(one, other, "") {
        panic!("{what}: {difference}");
    }
}

#[test]
fn the_same_records_give_the_same_analysis_in_every_form() {
    let text = said(&make("text", "5").analyze(&["made/logs"]));
    assert_eq!(text["ingest"]["malformed"], json!(0));
    assert!(text["ingest"]["skip_data"].as_u64() > Some(0));
    for form in FORMS {
        let made = make(form, "5");
        let one = said(&made.analyze(&["made/logs", "--threads", "1"]));
        assert_same(&text, &one, form);
        let two = said(&made.analyze(&["made/logs", "--threads", "2"]));
        assert_same(&text, &two, form);
    }
}

#[test]
fn a_digest_of_any_form_gives_the_bytes_that_its_logs_give() {
    for form in FORMS {
        let made = make(form, "5");
        let logs = made.analyze(&["made/logs"]);
        let ingest = [
            "ingest",
            "made/logs",
            "--digest",
            "digest",
            "--snapshot",
            "made/snapshot",
            "--quiet",
        ];
        let run = made.case.run(&ingest);
        assert_eq!(run.status, Some(0), "{form}: {}", run.stderr);
        let digest = made.analyze(&["--digest", "digest"]);
        assert_same(&cloud::json(&logs), &cloud::json(&digest), form);
        assert_eq!(logs, digest, "{form}");
        // The ledger knows each object.
        let again = made
            .case
            .run(&[&ingest[..6], &["--format", "json"]].concat());
        let again = cloud::json(&again.stdout);
        assert_eq!(
            (
                number(&again, "objects_read"),
                number(&again, "objects_known")
            ),
            (0, u64::try_from(made.objects().len()).unwrap()),
            "{form}"
        );
    }
}

#[test]
fn every_version_reads_the_same_from_parquet_and_from_firehose() {
    for version in ["2", "3", "4", "7", "8", "9", "10", "11"] {
        let text = said(&make("text", version).analyze(&["made/logs"]));
        for form in ["parquet", "firehose"] {
            let made = said(&make(form, version).analyze(&["made/logs"]));
            assert_same(&text, &made, &format!("{form}, version {version}"));
        }
    }
}

#[test]
fn forms_mix_in_one_run() {
    let clouds: Vec<Cloud> = FORMS.iter().map(|form| make(form, "5")).collect();
    let text = said(&clouds[0].analyze(&["made/logs"]));
    let objects: Vec<_> = clouds.iter().map(Cloud::objects).collect();
    let count = objects[0].len();
    assert!(objects.iter().all(|own| own.len() == count));
    // Without a header and a name that tells, the columns are the user's.
    let fields = clouds[0].lines().0;
    for number in 0..count {
        let from = &objects[number % FORMS.len()][number];
        let bytes = fs::read(from).unwrap();
        // Names tell nothing.
        clouds[0]
            .case
            .file(&format!("mixed/{number:04}.bin"), bytes);
    }
    let mixed = said(&clouds[0].analyze(&["mixed", "--fields", fields.trim()]));
    assert_same(&text, &mixed, "mixed");
}

#[test]
fn an_object_of_any_form_comes_through_standard_input() {
    for form in FORMS {
        let made = make(form, "5");
        let object = &made.objects()[0];
        let name = object.to_str().unwrap();
        let file = said(&made.analyze(&[name]));
        let stdin = said(&made.analyze_with(&["-"], &fs::read(object).unwrap()));
        assert_same(&file, &stdin, form);
    }
}

fn rows(analysis: &Value) -> u64 {
    let ingest = &analysis["ingest"];
    let kinds = [
        "accepted",
        "rejected",
        "other",
        "no_data",
        "skip_data",
        "malformed",
    ];
    kinds.iter().map(|kind| number(ingest, kind)).sum()
}

#[test]
fn damage_in_any_form_is_told() {
    for form in FORMS {
        let made = make(form, "5");
        let object = made.objects()[0].clone();
        let whole = fs::read(&object).unwrap();
        let all = rows(&cloud::json(&made.analyze(&[object.to_str().unwrap()])));
        for cut in [whole.len() / 3, whole.len() / 2, whole.len() - 3] {
            made.case.file("cut/a.bin", &whole[..cut]);
            let run = made.run_with(&["cut"], b"");
            assert!(!run.stderr.contains("panicked"), "{form}: {}", run.stderr);
            assert_eq!(run.status, Some(3), "{form} cut at {cut}: {}", run.stderr);
            let analysis = cloud::json(&run.stdout);
            assert_eq!(
                list(&analysis["ingest"], "unreadable").len(),
                1,
                "{form} cut at {cut}"
            );
            assert!(rows(&analysis) <= all, "{form} cut at {cut}");
        }
        for place in (7..whole.len()).step_by(whole.len() / 40) {
            let mut bent = whole.clone();
            bent[place] ^= 0x55;
            made.case.file("bent/a.bin", &bent);
            let run = made.run_with(&["bent"], b"");
            assert!(
                !run.stderr.contains("panicked"),
                "{form} at {place}: {}",
                run.stderr
            );
            assert!(
                matches!(run.status, Some(0 | 1 | 3)),
                "{form}: {}",
                run.stderr
            );
            let analysis = cloud::json(&run.stdout);
            if form.contains("parquet") || form == "security-lake" {
                // Footers have no checksum: a name that was bent is another
                // column. Rows that nobody wrote are none all the same.
                assert!(rows(&analysis) <= all, "{form} bent at {place}");
            } else {
                let told = run.status == Some(3);
                assert!(told || rows(&analysis) == all, "{form} bent at {place}");
            }
        }
    }
}

#[test]
fn a_header_wins_over_fields_and_it_is_said() {
    let made = make("text", "5");
    let analysis = cloud::json(&made.analyze(&["made/logs", "--fields", "action srcaddr"]));
    let caveats = analysis["caveats"].to_string();
    assert!(
        caveats.contains("FL309") && caveats.contains("header"),
        "{caveats}"
    );
    let plain = made.analyze(&["made/logs"]);
    assert!(!cloud::json(&plain)["caveats"].to_string().contains("FL309"));
    // Naming the same columns is no conflict.
    let (header, _) = made.lines();
    let same = made.analyze(&["made/logs", "--fields", header.trim()]);
    assert_same(&said(&plain), &said(&same), "same fields");
}

#[derive(Debug, Default, PartialEq)]
struct Seen {
    rows: Vec<Row>,
    bad: Vec<LineError>,
    fault: Option<String>,
}

impl Sink for Seen {
    fn row(&mut self, row: &Row) {
        self.rows.push(*row);
    }

    fn malformed(&mut self, error: &LineError) {
        self.bad.push(*error);
    }
}

fn read<'a>(blocks: impl IntoIterator<Item = &'a [u8]>) -> Seen {
    let mut reader = ObjectReader::new(&Layout::default());
    let mut seen = Seen::default();
    for block in blocks {
        reader.feed(block, &mut seen);
    }
    seen.fault = reader
        .finish_whole(&mut seen)
        .err()
        .map(|fault| fault.to_string());
    seen
}

const RECORD: &str = "2 123456789012 eni-0a1b2c3d4e5f60718 10.0.1.5 10.0.2.9 49152 5432 6 12 3456 1760000000 1760000058 ACCEPT OK";

#[test]
fn export_lines_have_the_time_of_their_event_before_them() {
    let plain = read([format!("{RECORD}\n{RECORD}\n").as_bytes()]);
    for time in [
        "2026-10-09T08:53:20.000Z",
        "2026-10-09T08:53:20Z",
        "1760000000000",
    ] {
        let text =
            format!("{time} {RECORD}\n{RECORD}\n{time} {RECORD}\n{time}  {RECORD} x\nx {RECORD}\n");
        let seen = read([text.as_bytes()]);
        assert_eq!(seen.rows[..2], plain.rows[..], "{time}");
        assert_eq!(
            (seen.rows.len(), seen.bad.len()),
            (3, 2),
            "{time}: {seen:?}"
        );
    }
}

#[test]
fn envelopes_of_every_kind_hold_the_same_line() {
    let plain = read([RECORD.as_bytes()]);
    let event = json!({"id": "1", "timestamp": 1, "message": RECORD});
    let subscription =
        json!({"messageType": "DATA_MESSAGE", "logGroup": "g", "logEvents": [event]}).to_string();
    let packed = {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(cloud::gzip(&subscription))
    };
    for wrapped in [
        subscription.clone(),
        json!({"message": RECORD}).to_string(),
        json!({"message": format!("{RECORD}\n")}).to_string(),
        json!({"events": [event], "searchedLogStreams": []}).to_string(),
        serde_json::to_string_pretty(&json!({"events": [event]})).unwrap(),
        json!([{"message": RECORD}]).to_string(),
        json!({"awslogs": {"data": packed}}).to_string(),
        json!({"Records": [{"kinesis": {"data": packed}}]}).to_string(),
        json!({"Records": [{"Data": packed}]}).to_string(),
        packed.clone(),
        format!("\u{feff} \n{}", json!({"message": RECORD})),
    ] {
        let seen = read([wrapped.as_bytes()]);
        assert_eq!(seen, plain, "{wrapped}");
    }
}

#[test]
fn packed_documents_of_several_members_are_read_whole() {
    use base64::Engine;
    let base64 = |bytes: Vec<u8>| base64::engine::general_purpose::STANDARD.encode(bytes);
    let one = cloud::gzip(json!({"logEvents": [{"message": RECORD}]}).to_string());
    let two = read([base64([one.clone(), one.clone()].concat()).as_bytes()]);
    assert_eq!((two.rows.len(), &two.fault), (2, &None), "{two:?}");
    // What follows and is no gzip may have been a record.
    for tail in [b"more".as_slice(), &one[..one.len() - 1]] {
        let seen = read([base64([one.as_slice(), tail].concat()).as_bytes()]);
        assert!(seen.fault.is_some(), "{seen:?}");
        assert_eq!(seen.bad.len(), 1, "{seen:?}");
    }
}

#[test]
fn what_is_no_record_in_json_is_counted_once() {
    for (text, bad) in [
        ("{\"message\": 7}\n", 1),
        ("{\"message\": \"\"}\n", 1),
        ("{\"log\": \"x\"}\n", 1),
        ("{}\n", 1),
        ("{\"message\": \"a\\nb\"}\n", 1),
        ("{\"logEvents\": []}\n", 0),
        (
            "{\"messageType\": \"CONTROL_MESSAGE\", \"logEvents\": [{\"message\": \"x\"}]}",
            0,
        ),
        (
            "{\"logEvents\": [{\"message\": \"x\"}, {\"id\": \"2\"}]}",
            2,
        ),
        ("{\"message\": \"x\nstray\n{\"message\": \"y\"}", 3),
    ] {
        let seen = read([text.as_bytes()]);
        assert_eq!(
            (seen.rows.len(), seen.bad.len()),
            (0, bad),
            "{text}: {seen:?}"
        );
        assert_eq!(seen.fault, None, "{text}");
    }
}

#[test]
fn places_of_bad_messages_are_their_number_and_their_document() {
    let good = json!({"message": RECORD}).to_string();
    let text = format!("{good}\n{{\"message\":\"x\"}}\n{good}\n{{\"message\":\"y\"}}");
    let seen = read([text.as_bytes()]);
    let places: Vec<_> = seen.bad.iter().map(|bad| (bad.line, bad.byte)).collect();
    let line = good.len() as u64 + 1;
    assert_eq!(places, [(2, line), (4, 2 * line + 16)]);
}

#[test]
fn documents_of_many_events_that_are_damaged_make_the_object_unreadable() {
    for text in [
        "{\"logEvents\": [{\"message\": \"x\"}, {]}",
        "{\"logEvents\": [{\"message\": \"x\"}, {\"mess",
        "{\"Records\": [{\"Data\": \"H4sIAAAA\"}]}",
    ] {
        assert!(read([text.as_bytes()]).fault.is_some(), "{text}");
    }
}

#[test]
fn ocsf_shows_packets_addresses_first() {
    let event = |direction: u8, own: &str| {
        json!({"class_uid": 4001, "activity_id": 6, "disposition": "Allowed", "status_code": "OK",
            "start_time": 1_760_000_000_999_i64, "end_time_dt": "2025-10-09T08:54:18Z",
            "connection_info": {"protocol_num": 6, "tcp_flags": 2, "direction_id": direction},
            "src_endpoint": {"ip": "10.0.1.5", "port": 49152, "interface_uid": if own == "src" {"eni-0a1b2c3d"} else {"-"}},
            "dst_endpoint": {"ip": "192.0.2.7", "port": 443, "intermediate_ips": ["10.0.0.220"],
                "interface_uid": if own == "dst" {"eni-0a1b2c3d"} else {"-"}},
            "traffic": {"packets": 3, "bytes": 180}, "unmapped": {"reject_reason": "BPA"}})
    };
    for (direction, own) in [(1, "dst"), (2, "src")] {
        let seen = read([event(direction, own).to_string().as_bytes()]);
        let [Row::Flow(record)] = seen.rows[..] else {
            panic!("{seen:?}");
        };
        assert_eq!(record.dstaddr, Some("10.0.0.220".parse().unwrap()));
        assert_eq!(record.pkt_dstaddr, Some("192.0.2.7".parse().unwrap()));
        assert_eq!(record.srcaddr, record.pkt_srcaddr);
        assert_eq!(record.interface_id.unwrap().to_string(), "eni-0a1b2c3d");
        assert_eq!(record.start.unwrap().0, 1_760_000_000);
        assert_eq!(record.end.unwrap().0, 1_760_000_058);
        assert!(record.block_public_access);
    }
    let other = json!({"class_uid": 6003, "time": 1}).to_string();
    assert_eq!(read([other.as_bytes()]).rows, [Row::Other]);
}

proptest! {
    #[test]
    fn how_an_object_is_cut_never_shows(form in 0_usize..7, at in any::<usize>(), step in 1_usize..5000) {
        let object = &OBJECTS[form];
        let (left, right) = object.split_at(at % (object.len() + 1));
        let whole = read([object.as_slice()]);
        prop_assert_eq!(&read([left, right]), &whole);
        prop_assert_eq!(&read(object.chunks(step)), &whole);
    }
}

/// One object of each form, unpacked.
static OBJECTS: std::sync::LazyLock<Vec<Vec<u8>>> = std::sync::LazyLock::new(|| {
    let first = |form: &&str| {
        let made = Cloud::make(&[
            "--records",
            "300",
            "--days",
            "0.05",
            "--form",
            form,
            "--plain",
        ]);
        fs::read(&made.objects()[0]).unwrap()
    };
    FORMS.iter().map(first).collect()
});
