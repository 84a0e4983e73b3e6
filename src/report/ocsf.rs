//! OCSF 1.5.0: one Compliance Finding (class 2003) a finding, as a JSON array.
//!
//! The time of an event is the end of the window: no clock is asked, so equal
//! inputs give equal events.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use crate::model::Provider;
use crate::net::Timestamp;
use crate::report::code::Code;
use crate::report::controls::Control;
use crate::report::document::Analysis;
use crate::report::escape;
use crate::report::explain::remedies;
use crate::report::listing::Listed;
use crate::report::listing::Severity;
use crate::report::review::Entry;
use crate::report::review::Review;
use crate::report::review::State;

const VERSION: &str = "1.5.0";
const CLASS: u64 = 2003;

/// What the event tells of a finding's life, `activity_id`.
#[derive(Clone, Copy, Debug)]
enum Activity {
    Create = 1,
    Update = 2,
    Close = 3,
}

/// Where the finding stands, `status_id`.
#[derive(Clone, Copy, Debug)]
enum Status {
    New = 1,
    Suppressed = 3,
    Resolved = 4,
}

/// The events, newline at the end.
#[must_use]
pub fn render(analysis: &Analysis, review: &Review) -> String {
    let time = millis(analysis.window.map_or(Timestamp(0), |window| window.end));
    let cloud = Cloud::of(analysis.provider);
    let mut events: Vec<Value> = review
        .entries
        .iter()
        .map(|entry| open(entry, time, cloud))
        .collect();
    let closed = review.fixed.iter();
    events
        .extend(closed.map(|listed| event(listed, time, cloud, Activity::Close, Status::Resolved)));
    format!("{:#}\n", Value::Array(events))
}

/// What a cloud and its resources are called, as its own inventory (AWS Config,
/// Cloud Config) names them.
#[derive(Clone, Copy, Debug)]
struct Cloud {
    name: &'static str,
    group: &'static str,
    rule: &'static str,
    interface: &'static str,
}

impl Cloud {
    const fn of(provider: Provider) -> Cloud {
        match provider {
            Provider::Aws => Cloud {
                name: "AWS",
                group: "AWS::EC2::SecurityGroup",
                rule: "AWS::EC2::SecurityGroupRule",
                interface: "AWS::EC2::NetworkInterface",
            },
            Provider::Alibaba => Cloud {
                name: "Alibaba Cloud",
                group: "ACS::ECS::SecurityGroup",
                rule: "ACS::ECS::SecurityGroupRule",
                interface: "ACS::ECS::NetworkInterface",
            },
        }
    }
}

fn open(entry: &Entry, time: i64, cloud: Cloud) -> Value {
    let activity = match entry.state {
        Some(State::Unchanged) => Activity::Update,
        Some(State::New) | None => Activity::Create,
    };
    let status = match entry.acceptance {
        Some(_) => Status::Suppressed,
        None => Status::New,
    };
    let mut event = event(&entry.listed, time, cloud, activity, status);
    if let (Some(one), Some(map)) = (&entry.acceptance, event.as_object_mut()) {
        let why = format!("accepted by {}", one.said());
        map.insert("comment".to_owned(), json!(escape::inert(&why)));
    }
    event
}

fn event(listed: &Listed, time: i64, cloud: Cloud, activity: Activity, status: Status) -> Value {
    let activity = activity as u64;
    let mut event = json!({
        "activity_id": activity,
        "category_name": "Findings",
        "category_uid": 2,
        "class_name": "Compliance Finding",
        "class_uid": CLASS,
        "type_uid": CLASS * 100 + activity,
        "time": time,
        "severity": severity(listed.severity).1,
        "severity_id": severity(listed.severity).0,
        "status_id": status as u64,
        "message": escape::inert(&listed.text),
        "metadata": {
            "version": VERSION,
            "product": {
                "name": "flowcinch",
                "vendor_name": "flowcinch",
                "version": env!("CARGO_PKG_VERSION"),
            },
            "event_code": listed.code.id(),
            "profiles": ["cloud"],
        },
        "cloud": account(listed, cloud),
        "finding_info": info(listed),
        "compliance": compliance(listed, status),
        "resources": resources(listed, cloud),
    });
    if let (Some(remedy), Some(map)) = (remedies::of(listed.code), event.as_object_mut()) {
        map.insert("remediation".to_owned(), json!({"desc": remedy}));
    }
    event
}

/// Whose account it is, where the snapshot says so. Files of describe calls do
/// not name their region.
fn account(listed: &Listed, cloud: Cloud) -> Value {
    let provider = cloud.name;
    match &listed.account_id {
        None => json!({"provider": provider}),
        Some(id) => json!({"provider": provider, "account": {"uid": escape::inert(id)}}),
    }
}

fn severity(severity: Severity) -> (u64, &'static str) {
    match severity {
        Severity::Info => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
    }
}

fn info(listed: &Listed) -> Value {
    let mut info = json!({
        "uid": listed.id,
        "title": format!("{} {}", listed.code, listed.code.slug()),
        "desc": escape::inert(&listed.text),
        "types": [listed.code.slug()],
    });
    if let Some(map) = info.as_object_mut() {
        for (key, seen) in [
            ("first_seen_time", listed.first_seen),
            ("last_seen_time", listed.last_seen),
        ] {
            if let Some(seen) = seen {
                map.insert(key.to_owned(), json!(millis(seen)));
            }
        }
    }
    info
}

fn compliance(listed: &Listed, status: Status) -> Value {
    let standards: BTreeSet<&str> = listed
        .controls
        .iter()
        .map(|control| control.standard.name())
        .collect();
    let requirements: Vec<String> = listed.controls.iter().map(Control::tag).collect();
    // 1 is Pass, 2 Warning, 3 Fail. What logs made likely is a reason to look.
    let result = match status {
        Status::Resolved => 1,
        Status::New | Status::Suppressed if fails(listed) => 3,
        Status::New | Status::Suppressed => 2,
    };
    json!({
        "control": listed.code.id(),
        "desc": listed.code.slug(),
        "standards": standards,
        "requirements": requirements,
        "status_id": result,
    })
}

/// Whether the finding is a fact of the configuration that a control forbids,
/// whatever the logs show, or a proof that failed.
fn fails(listed: &Listed) -> bool {
    let facts = [Code::OpenToWorld, Code::AllTraffic, Code::ProofFailed];
    facts.contains(&listed.code) && listed.severity >= Severity::Medium
}

fn resources(listed: &Listed, cloud: Cloud) -> Vec<Value> {
    let mut resources = Vec::new();
    let mut add = |kind: &str, id: Option<String>, name: Option<&str>| {
        if let Some(id) = id {
            let mut resource = json!({"type": kind, "uid": escape::inert(&id)});
            if let (Some(name), Some(map)) = (name, resource.as_object_mut()) {
                map.insert("name".to_owned(), json!(escape::inert(name)));
            }
            resources.push(resource);
        }
    };
    let name = Some(listed.group_name.as_str()).filter(|name| !name.is_empty());
    add(
        cloud.group,
        listed.group_id.as_ref().map(ToString::to_string),
        name,
    );
    add(
        cloud.rule,
        listed.rule_id.as_ref().map(ToString::to_string),
        None,
    );
    add(
        cloud.interface,
        listed.interface_id.map(|id| id.to_string()),
        None,
    );
    resources
}

fn millis(time: Timestamp) -> i64 {
    time.0.saturating_mul(1_000)
}
