//! Logs in S3, on a server that the test starts: the same bytes as from files,
//! nothing fetched that is not wanted, nothing lost or counted twice when the
//! server fails.

mod digests;
mod server;

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::case::Run;
use crate::cloud;
use crate::cloud::Cloud;
use crate::s3::server::BUCKET;
use crate::s3::server::Manners;
use crate::s3::server::Server;
use crate::s3::server::Trouble;

/// A made-up cloud whose case knows credentials, and no other configuration.
fn make(flags: &[&str]) -> Cloud {
    let Cloud { case, snapshots } = Cloud::make(flags);
    let case = case
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_REGION", "eu-west-1");
    Cloud {
        case: alone(case),
        snapshots,
    }
}

/// Whatever the machine's own configuration is.
fn alone(case: crate::case::Case) -> crate::case::Case {
    case.env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/none")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/none")
        .env("NO_PROXY", "127.0.0.1")
}

/// The cloud's log objects by key.
fn objects(cloud: &Cloud) -> BTreeMap<String, Vec<u8>> {
    let root = cloud.case.path("made/logs");
    let key = |path: &std::path::Path| {
        let below = path.strip_prefix(&root).unwrap();
        format!("org/{}", below.to_str().unwrap())
    };
    let objects = cloud.objects();
    objects
        .iter()
        .map(|path| (key(path), fs::read(path).unwrap()))
        .collect()
}

fn run(cloud: &Cloud, server: &Server, prefix: &str, flags: &[&str]) -> Run {
    let url = server.url();
    let address = format!("s3://{BUCKET}/{prefix}");
    let mut args = vec![
        address.as_str(),
        "--endpoint-url",
        &url,
        "--read-timeout",
        "1",
    ];
    args.extend(flags);
    cloud.run_with(&args, b"")
}

/// The analysis of what lies in the bucket, which must be one.
fn analyze(cloud: &Cloud, server: &Server, flags: &[&str]) -> Vec<u8> {
    let run = run(cloud, server, "org/", flags);
    assert!(
        matches!(run.status, Some(0 | 1 | 3)),
        "{:?} {}",
        run.status,
        run.stderr
    );
    run.stdout
}

fn local(cloud: &Cloud, flags: &[&str]) -> Vec<u8> {
    cloud.analyze(&[&["made/logs"], flags].concat())
}

#[track_caller]
fn assert_same(one: &[u8], other: &[u8]) {
    let (left, right) = (cloud::json(one), cloud::json(other));
    assert_eq!(left["ingest"], right["ingest"]);
    assert!(one == other, "the documents differ");
}

fn unreadable(document: &[u8]) -> Vec<(String, String)> {
    let document = cloud::json(document);
    let list = document["ingest"]["unreadable"].as_array().unwrap();
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
    list.iter()
        .map(|entry| (text(entry, "object"), text(entry, "reason")))
        .collect()
}

#[test]
fn the_same_bytes_as_from_files() {
    let cloud = make(&["--records", "6000", "--days", "3"]);
    let objects = objects(&cloud);
    let count = objects.len();
    let server = Server::start(
        objects,
        Manners {
            page: 7,
            ..Manners::default()
        },
    );
    assert_same(&analyze(&cloud, &server, &[]), &local(&cloud, &[]));
    let gets = server.gets();
    assert_eq!(gets.len(), count);
    assert!(gets.values().all(|times| *times == 1), "{gets:?}");
}

#[test]
fn every_form_is_read_as_from_files() {
    for form in crate::forms::FORMS {
        let cloud = make(&["--records", "2000", "--days", "1", "--form", form]);
        let server = Server::start(objects(&cloud), Manners::default());
        assert_same(&analyze(&cloud, &server, &[]), &local(&cloud, &[]));
    }
}

#[test]
fn a_window_fetches_only_what_can_lie_in_it() {
    let cloud = make(&["--records", "4000", "--days", "90"]);
    let server = Server::start(objects(&cloud), Manners::default());
    let window = [
        "--since",
        "2026-04-10T00:00:00Z",
        "--until",
        "2026-04-10T23:49:00Z",
    ];
    assert_same(&analyze(&cloud, &server, &window), &local(&cloud, &window));
    let gets = server.gets();
    assert!(gets.len() > 5, "{gets:?}");
    assert!(
        gets.keys().all(|key| key.contains("/2026/04/10/")),
        "{gets:?}"
    );
    // Down to the month each folder once, then the day; two more to find the bucket.
    assert!(server.lists() <= 12, "{}", server.lists());
}

#[test]
fn a_span_before_the_newest_record_reads_little_to_find_it() {
    let cloud = make(&["--records", "4000", "--days", "20"]);
    let objects = objects(&cloud);
    let all = objects.len();
    let server = Server::start(objects, Manners::default());
    let span = ["--since", "2d"];
    let analysis = analyze(&cloud, &server, &span);
    assert_same(&analysis, &local(&cloud, &span));
    let gets = server.gets().values().sum::<usize>();
    assert!(gets > 10 && gets < all / 5, "{gets} of {all}");
    // The window is that of all records that begin so late.
    let window = &cloud::json(&analysis)["window"];
    let whole = &cloud::json(&local(&cloud, &[]))["window"];
    assert_eq!(window["end"], whole["end"]);
}

#[test]
fn a_server_that_fails_now_and_then_changes_nothing() {
    let cloud = make(&["--records", "6000", "--days", "6"]);
    let manners = Manners {
        trouble_in: 10,
        page: 5,
        ..Manners::default()
    };
    let server = Server::start(objects(&cloud), manners);
    assert_same(&analyze(&cloud, &server, &[]), &local(&cloud, &[]));
    assert!(server.troubles() >= 30, "{}", server.troubles());
}

#[test]
fn a_listing_that_is_cut_anywhere_is_asked_for_again() {
    let cloud = make(&["--records", "1000", "--days", "0.4"]);
    let objects = objects(&cloud);
    let pages = objects.len();
    assert!(pages > 100, "{pages}");
    let server = Server::start(
        objects,
        Manners {
            cut_pages: true,
            page: 1,
            ..Manners::default()
        },
    );
    assert_same(&analyze(&cloud, &server, &[]), &local(&cloud, &[]));
    assert!(server.lists() > 2 * pages, "{}", server.lists());
}

#[test]
fn an_object_that_fails_for_ever_is_named_and_the_rest_counts() {
    let cloud = make(&["--records", "3000", "--days", "3"]);
    let objects = objects(&cloud);
    let troubles = [
        (
            Trouble::Error,
            "InternalError: as the test asked (HTTP status 500), after 3 attempts",
        ),
        (Trouble::Reset, "the answer broke off"),
        (Trouble::Stall, "no answer for 1 s, after 3 attempts"),
        (Trouble::Short, "bytes long and was listed as"),
        (
            Trouble::Altered,
            "its bytes do not fit its ETag, after 3 attempts",
        ),
    ];
    let keys: Vec<String> = objects.keys().step_by(9).take(5).cloned().collect();
    let always = keys
        .iter()
        .cloned()
        .zip(troubles.map(|(trouble, _)| trouble));
    let manners = Manners {
        always: always.collect(),
        ..Manners::default()
    };
    let server = Server::start(objects, manners);
    let run = run(&cloud, &server, "org/", &["--max-attempts", "3"]);
    assert_eq!(run.status, Some(3), "{}", run.stderr);
    let named = unreadable(&run.stdout);
    assert_eq!(named.len(), 5, "{named:?}");
    for (key, (_, reason)) in keys.iter().zip(troubles) {
        let object = format!("s3://{BUCKET}/{key}");
        let found = named.iter().find(|(name, _)| *name == object).unwrap();
        assert!(found.1.contains(reason), "{found:?}");
        assert!(server.gets()[key] == 3, "{:?}", server.gets()[key]);
    }
    // All else counts once: as from files without these five.
    for key in &keys {
        let below = key.strip_prefix("org/").unwrap();
        fs::remove_file(cloud.case.path("made/logs").join(below)).unwrap();
    }
    let (mut with, mut without) = (cloud::json(&run.stdout), cloud::json(&local(&cloud, &[])));
    for document in [&mut with, &mut without] {
        let ingest = document["ingest"].as_object_mut().unwrap();
        ingest.remove("objects").unwrap();
        ingest.remove("unreadable").unwrap();
    }
    assert_eq!(with, without);
}

#[test]
fn a_large_object_comes_in_parts_and_survives_cuts() {
    let cloud = make(&["--records", "3000", "--days", "2"]);
    let (header, records) = cloud.lines();
    let text = records.concat();
    // More than is taken whole, and not gzip.
    let times = (66 * 1024 * 1024) / text.len() + 1;
    let large = format!("{header}{}", text.repeat(times)).into_bytes();
    cloud.case.file("large.log", &large);
    let objects = BTreeMap::from([("org/large.log".to_owned(), large)]);
    let manners = Manners {
        trouble_in: 3,
        ..Manners::default()
    };
    let server = Server::start(objects, manners);
    assert_same(
        &analyze(&cloud, &server, &[]),
        &cloud.analyze(&["large.log"]),
    );
    assert!(server.gets()["org/large.log"] > 9);
    assert!(server.troubles() > 3);
}

/// Whoever has read the last object gives its room to those who wait for theirs.
#[test]
fn objects_that_do_not_fit_in_memory_together_do_not_wait_for_ever() {
    let cloud = make(&["--records", "1000", "--days", "1"]);
    let (header, records) = cloud.lines();
    let text = records.concat();
    let times = 5 * 1024 * 1024 / text.len();
    let large = format!("{header}{}", text.repeat(times)).into_bytes();
    cloud.case.file("large.log", &large);
    let alone = cloud::json(&cloud.analyze(&["large.log"]));
    let alone = alone["ingest"]["records"].as_u64().unwrap();
    for count in [2, 5] {
        let key = |number: u32| format!("org/{number}.log");
        let objects = (0..count).map(|number| (key(number), large.clone()));
        let server = Server::start(objects.collect(), Manners::default());
        // 7 MiB of it are for what is fetched ahead.
        let flags = ["--memory", "120M", "--threads", "3"];
        let document = cloud::json(&analyze(&cloud, &server, &flags));
        assert_eq!(document["ingest"]["records"], alone * u64::from(count));
    }
}

#[test]
fn the_bucket_says_its_region() {
    let cloud = make(&["--records", "500", "--days", "1"]);
    let manners = Manners {
        region: Some("ap-southeast-2".to_owned()),
        ..Manners::default()
    };
    let server = Server::start(objects(&cloud), manners);
    assert_same(&analyze(&cloud, &server, &[]), &local(&cloud, &[]));
}

#[test]
fn the_requester_pays_where_said_so() {
    let cloud = make(&["--records", "500", "--days", "1"]);
    let manners = Manners {
        requester_pays: true,
        ..Manners::default()
    };
    let server = Server::start(objects(&cloud), manners);
    let refused = run(&cloud, &server, "org/", &[]);
    assert_eq!(refused.status, Some(2));
    assert!(
        refused.stderr.contains("--request-payer"),
        "{}",
        refused.stderr
    );
    assert_same(
        &analyze(&cloud, &server, &["--request-payer"]),
        &local(&cloud, &[]),
    );
}

#[test]
fn folders_in_the_manner_of_hive_are_known_too() {
    let cloud = make(&["--records", "2000", "--days", "30"]);
    let hive = objects(&cloud).into_iter().map(|(key, bytes)| {
        let parts: Vec<&str> = key.split('/').collect();
        let [org, root, account, service, region, year, month, day, file] = parts[..] else {
            panic!("{key}");
        };
        let key = format!(
            "{org}/{root}/aws-account-id={account}/aws-service={service}/aws-region={region}/\
             year={year}/month={month}/day={day}/hour={}/{file}",
            file.split('_').nth(4).unwrap().get(9..11).unwrap()
        );
        (key, bytes)
    });
    let server = Server::start(hive.collect(), Manners::default());
    let window = [
        "--since",
        "2026-03-10T00:00:00Z",
        "--until",
        "2026-03-10T12:00:00Z",
    ];
    assert_same(&analyze(&cloud, &server, &window), &local(&cloud, &window));
    assert!(
        server
            .gets()
            .keys()
            .all(|key| key.contains("month=03/day=10/"))
    );
    assert!(server.lists() <= 60, "{}", server.lists());
}

#[test]
fn prefixes_are_taken_as_they_are_and_what_is_no_log_is_left() {
    let cloud = make(&["--records", "500", "--days", "1"]);
    let mut objects = objects(&cloud);
    let odd = "org/AWSLogs/odd & <name> +%2B é.log.gz".to_owned();
    let (_, bytes) = objects.pop_last().unwrap();
    objects.insert(odd.clone(), bytes);
    objects.insert("org/AWSLogs/.hidden".to_owned(), b"x".to_vec());
    objects.insert("org/aws-logs-write-test".to_owned(), b"x".to_vec());
    objects.insert("org/folder/".to_owned(), Vec::new());
    objects.insert("organic.log".to_owned(), b"x".to_vec());
    let trail = "org/AWSLogs/123456789012/CloudTrail/eu-west-1/a.json";
    objects.insert(trail.to_owned(), b"{}".to_vec());
    let server = Server::start(objects, Manners::default());
    assert_same(&analyze(&cloud, &server, &[]), &local(&cloud, &[]));
    assert!(server.gets().contains_key(&odd));

    let none = run(&cloud, &server, "nothing/", &[]);
    assert_eq!(none.status, Some(2));
    assert!(
        none.stderr
            .contains("`s3://flow-logs/nothing/` holds no object"),
        "{}",
        none.stderr
    );
    let wide = run(&cloud, &server, "orga", &[]);
    assert_eq!(server.gets()["organic.log"], 1, "{}", wide.stderr);
}

#[test]
fn keys_of_any_kind_are_read() {
    let cloud = make(&["--records", "1000", "--days", "0.4"]);
    let odd = [
        "org//double",
        "org/../dots",
        "org/new\nline",
        "org/ü%2F+ ?#&=;",
        "org/a/./b",
        "org/end.",
    ];
    let mut objects = BTreeMap::new();
    for (number, (key, path)) in odd.into_iter().zip(cloud.objects()).enumerate() {
        let bytes = fs::read(path).unwrap();
        cloud.case.file(&format!("odd/{number}"), &bytes);
        objects.insert(key.to_owned(), bytes);
    }
    let server = Server::start(objects, Manners::default());
    assert_same(&analyze(&cloud, &server, &[]), &cloud.analyze(&["odd"]));
}

#[test]
fn without_credentials_it_says_so() {
    let Cloud { case, snapshots } = Cloud::make(&["--records", "500", "--days", "1"]);
    let cloud = Cloud {
        case: alone(case),
        snapshots,
    };
    let server = Server::start(objects(&cloud), Manners::default());
    let refused = run(&cloud, &server, "org/", &[]);
    assert_eq!(refused.status, Some(2));
    assert!(refused.stderr.contains("credentials"), "{}", refused.stderr);
    assert_eq!(server.lists(), 0);
}

/// How many objects the test with many has; the whole number takes some minutes.
fn many() -> usize {
    let asked = std::env::var_os("FLOWCINCH_S3_OBJECTS");
    asked.map_or(2_000, |text| text.to_str().unwrap().parse().unwrap())
}

#[test]
fn many_small_objects_are_each_read_once() {
    let cloud = make(&["--records", "20000", "--days", "30"]);
    let (header, records) = cloud.lines();
    let wanted = many();
    let (mut objects, folder) = (BTreeMap::new(), cloud.case.path("many"));
    for number in 0..wanted {
        let line = &records[number % records.len()];
        let key = format!("org/any/{:02}/{number:06}.log", number % 40);
        let path = folder.join(key.strip_prefix("org/").unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = format!("{header}{line}");
        fs::write(path, &text).unwrap();
        objects.insert(key, text.into_bytes());
    }
    let server = Server::start(objects, Manners::default());
    assert_same(&analyze(&cloud, &server, &[]), &cloud.analyze(&["many"]));
    let gets = server.gets();
    assert_eq!(gets.len(), wanted);
    assert!(gets.values().all(|times| *times == 1));
}
