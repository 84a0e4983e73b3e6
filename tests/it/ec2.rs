//! Snapshots through an EC2 API: one that the test plays, to see pages, refusals
//! and throttling; and moto's, beside which the AWS CLI is asked for the same.

mod change;
mod moto;
mod played;
mod terraform;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

use crate::case::Case;
use crate::case::Run;
use crate::cloud::files;

/// A case with credentials and no other configuration.
fn case() -> Case {
    Case::new()
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/none")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/none")
        .env("NO_PROXY", "127.0.0.1")
}

fn snapshot(case: &Case, url: &str, flags: &[&str]) -> Run {
    let own = ["snapshot", "--out", "snapshots", "--endpoint-url", url];
    case.run(&[&own, flags].concat())
}

/// The dated folder that was written, which must be one.
fn written(case: &Case, run: &Run) -> PathBuf {
    let folder = case.path(run.text().trim_end());
    assert!(folder.is_dir(), "{run:?}");
    let entries = fs::read_dir(case.path("snapshots")).unwrap();
    assert_eq!(entries.count(), 1, "nothing but the one folder");
    folder
}

/// The JSON files below a folder, by path.
fn documents(folder: &Path) -> BTreeMap<String, Value> {
    let json = files(folder)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "json"));
    json.map(|path| {
        let name = path
            .strip_prefix(folder)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        (
            name,
            serde_json::from_slice(&fs::read(&path).unwrap()).unwrap(),
        )
    })
    .collect()
}
