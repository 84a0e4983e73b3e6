//! Writes `truth.json`: what the logs of the sample truly say, by the
//! definitions of `analysis.json`, and what became of each connection.
//!
//! Schema `flowcinch.truth.v1`. What a reader should know beside the names:
//!
//! - All counts are of lines that were written. `records`, `sole_records`,
//!   `packets`, `bytes`, `first_seen` (earliest `start`) and `last_seen`
//!   (latest `end`) of a rule count ACCEPT lines of the initiator's half at
//!   interfaces that some snapshot names; those at interfaces that came and
//!   went unseen are its `unlisted_records`.
//! - A rule that drops earns the REJECT lines of requests that it drops. Where
//!   rules have ranks, a rule earns what it decides; a weaker one that says the
//!   same is `redundant`, and `shadowed` where that is all there can be.
//! - A request that passed here and was stopped further on passed here.
//! - `cause` of a REJECT is `security_group`, `network_acl`, `both`, or `late`
//!   for a packet after the close, which an analysis can only call unexplained.
//! - `lost` of a connection: SKIPDATA or a dark hour swallowed lines about it.
//! - A NAT gateway is on the way of a connection (`nat_interface`) but none of
//!   its ends.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::io::Write;
use std::net::IpAddr;
use std::rc::Rc;

use serde::Serialize;
use serde::Serializer;
use serde_json::Value;
use serde_json::json;

use crate::model::Direction;
use crate::net::Timestamp;
use crate::sample::SampleConfig;
use crate::sample::SampleError;
use crate::sample::judge::Cause;
use crate::sample::judge::Fate;
use crate::sample::judge::Party;
use crate::sample::ledger::Connection;
use crate::sample::ledger::RejectKey;
use crate::sample::ledger::RuleUse;
use crate::sample::ledger::Written;
use crate::sample::observe::Ending;
use crate::sample::simulate::Simulation;
use crate::sample::world::BASE;
use crate::sample::world::Group;
use crate::sample::world::Interface;
use crate::sample::world::Rule;

/// The document, key by key.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    config: Value,
    window: Value,
    lines: Value,
    dark_hours: Vec<Timestamp>,
    rules: Vec<Value>,
    reject_totals: Value,
    /// REJECT lines beyond the kinds that `rejects` lists.
    further_reject_records: u64,
    rejects: Vec<Value>,
    connections_opened: u64,
    /// Whether `connections` lists them all, or none.
    connections_listed: bool,
    connections: Connections<'a>,
}

/// Writes the truth of a finished simulation.
pub(super) fn write(config: &SampleConfig, done: &Simulation<'_>) -> Result<(), SampleError> {
    let path = config.out.join("truth.json");
    let ledger = &done.ledger;
    let listed = ledger.connections.as_deref();
    let hour = |hour: &u32| time(hour * 3_600);
    let document = Document {
        schema: "flowcinch.truth.v1",
        config: configuration(config, done),
        window: json!({"start": time(0), "end": time(done.world.seconds - 1)}),
        lines: lines(done),
        dark_hours: done.losses.dark.iter().map(hour).collect(),
        rules: rule_documents(done),
        reject_totals: ledger
            .causes
            .iter()
            .map(|(own, n)| (cause_name(*own).to_owned(), json!(n)))
            .collect(),
        further_reject_records: ledger.further_rejects,
        rejects: ledger
            .rejects()
            .iter()
            .map(|kind| reject(done, kind))
            .collect(),
        connections_opened: ledger.opened,
        connections_listed: listed.is_some(),
        connections: Connections {
            done,
            rules: numbered_rules(done),
            listed: listed.unwrap_or_default(),
        },
    };
    let write = || -> std::io::Result<()> {
        let mut file = BufWriter::new(File::create(&path)?);
        serde_json::to_writer(&mut file, &document)?;
        file.write_all(b"\n")?;
        file.flush()
    };
    write().map_err(|source| SampleError::write(&path, source))
}

fn configuration(config: &SampleConfig, done: &Simulation<'_>) -> Value {
    json!({
        "provider": config.provider,
        "records": config.records,
        "seed": config.seed,
        "format_version": config.format_version,
        "interfaces": done.world.interfaces.len(),
        "days": config.days,
        "skip_share": config.skip_share,
        "scan_share": config.scan_share,
        "churn": config.churn,
        "rule_changes_at": config.change_at().map(time),
        "ipv6": config.ipv6,
    })
}

fn lines(done: &Simulation<'_>) -> Value {
    let lines = done.ledger.lines;
    json!({
        "records": lines.accepted + lines.rejected,
        "accepted": lines.accepted,
        "rejected": lines.rejected,
        "no_data": lines.no_data,
        "skip_data": lines.skip_data,
        "files": done.delivery.files,
    })
}

fn rule_documents(done: &Simulation<'_>) -> Vec<Value> {
    let mut documents = Vec::new();
    for group in &done.world.groups {
        let carriers = done.world.interfaces.iter().filter(|own| own.listed);
        let carriers = carriers.filter(|own| own.groups.iter().any(|g| Rc::ptr_eq(g, group)));
        let observable = carriers.clone().any(|own| done.ledger.is_usable(own));
        for rule in &group.rules {
            let used = done
                .ledger
                .rules
                .get(rule.number)
                .copied()
                .unwrap_or_default();
            documents.push(rule_document(group, rule, used, observable));
        }
    }
    documents
}

fn rule_document(group: &Group, rule: &Rule, used: RuleUse, observable: bool) -> Value {
    json!({
        "rule_id": rule.id,
        "group_id": group.id,
        "group_name": group.name,
        "direction": rule.direction,
        "status": status(rule, used, observable),
        "added_at": (rule.from > 0).then(|| time(rule.from)),
        "removed_at": (rule.until < u32::MAX).then(|| time(rule.until)),
        "records": used.records,
        "packets": used.packets,
        "bytes": used.bytes,
        "sole_records": used.sole_records,
        "unlisted_records": used.unlisted_records,
        "first_seen": used.seen.map(|(first, _)| time(first)),
        "last_seen": used.seen.map(|(_, last)| time(last)),
    })
}

fn status(rule: &Rule, used: RuleUse, observable: bool) -> &'static str {
    let earned = (used.sole_records > 0, used.records > 0);
    match (rule.no_effect, observable, earned) {
        (true, ..) => "no_effect",
        (false, _, (false, false)) if rule.shadowed => "shadowed",
        (false, false, _) => "unobservable",
        (false, true, (true, _)) => "used",
        (false, true, (false, true)) => "redundant",
        (false, true, (false, false)) if used.outranked_records > 0 => "redundant",
        (false, true, (false, false)) => "unused",
    }
}

fn reject(done: &Simulation<'_>, (key, records): &(RejectKey, u64)) -> Value {
    let ports = key.protocol.has_ports();
    json!({
        "interface_id": interface_id(done, key.interface),
        "direction": key.direction,
        "protocol": key.protocol.to_string(),
        "port": ports.then_some(key.port),
        "peer": key.peer,
        "reply": key.reply,
        "cause": cause_name(key.cause),
        "records": records,
    })
}

/// The words of `analysis.json`, and `late` for what it can only call
/// unexplained.
fn cause_name(cause: Cause) -> &'static str {
    match cause {
        Cause::SecurityGroup => "security_group",
        Cause::NetworkAcl => "network_acl",
        Cause::Both => "both",
        Cause::Late => "late",
    }
}

/// The connections, turned into documents one by one as they are written: there
/// may be many.
struct Connections<'a> {
    done: &'a Simulation<'a>,
    /// All rules, each at the place of its number.
    rules: Vec<&'a Rule>,
    listed: &'a [Connection],
}

impl Serialize for Connections<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let numbered = (0u64..).zip(self.listed);
        serializer.collect_seq(numbered.map(|(id, own)| self.document(id, own)))
    }
}

#[derive(Serialize)]
struct ConnectionDocument<'a> {
    id: u64,
    initiator: PartyDocument<'a>,
    responder: PartyDocument<'a>,
    protocol: String,
    client_port: Option<u16>,
    service_port: Option<u16>,
    nat_interface: Option<&'a str>,
    start: Timestamp,
    end: Timestamp,
    outcome: &'static str,
    end_cause: &'static str,
    passed_by: Vec<PassageDocument<'a>>,
    records: BTreeMap<&'a str, WrittenDocument>,
    lost: bool,
}

#[derive(Serialize)]
struct PartyDocument<'a> {
    interface_id: Option<&'a str>,
    address: IpAddr,
    logged: bool,
    listed: bool,
}

#[derive(Serialize)]
struct PassageDocument<'a> {
    interface_id: &'a str,
    direction: Direction,
    rules: Vec<&'a str>,
}

#[derive(Serialize)]
struct WrittenDocument {
    requests: u64,
    replies: u64,
    rejected: u64,
}

impl<'a> Connections<'a> {
    fn document(&self, id: u64, own: &'a Connection) -> ConnectionDocument<'a> {
        let attempt = &own.attempt;
        let ports = attempt.protocol.has_ports();
        ConnectionDocument {
            id,
            initiator: party(&attempt.client),
            responder: party(&attempt.server),
            protocol: attempt.protocol.to_string(),
            client_port: ports.then_some(attempt.client_port),
            service_port: ports.then_some(attempt.service_port),
            nat_interface: attempt.nat.as_ref().map(|nat| nat.id.as_str()),
            start: time(attempt.start),
            end: time(attempt.end),
            outcome: outcome(own),
            end_cause: end_cause(own),
            passed_by: own.passed_by().map(|way| self.passage(way)).collect(),
            records: own
                .written
                .iter()
                .map(|written| self.written(*written))
                .collect(),
            lost: own.lost,
        }
    }

    fn passage(
        &self,
        (interface, direction, numbers): (&'a Interface, Direction, &'a [usize]),
    ) -> PassageDocument<'a> {
        let found = numbers.iter().filter_map(|number| self.rules.get(*number));
        let mut rules: Vec<&str> = found.map(|rule| rule.id.as_str()).collect();
        rules.sort_unstable();
        PassageDocument {
            interface_id: &interface.id,
            direction,
            rules,
        }
    }

    fn written(&self, written: Written) -> (&'a str, WrittenDocument) {
        let counts = WrittenDocument {
            requests: written.requests,
            replies: written.replies,
            rejected: written.rejected,
        };
        let id = interface_id(self.done, written.interface);
        (id.unwrap_or_default(), counts)
    }
}

fn party(party: &Party) -> PartyDocument<'_> {
    let interface = party.interface.as_ref();
    PartyDocument {
        interface_id: interface.map(|own| own.id.as_str()),
        address: party.address,
        logged: interface.is_some_and(|own| own.logged()),
        listed: interface.is_some_and(|own| own.listed),
    }
}

fn outcome(own: &Connection) -> &'static str {
    match own.verdict.fate {
        Fate::Passed if own.ending == Ending::Refused => "refused",
        Fate::Passed if own.ending == Ending::Silent => "unanswered",
        Fate::Passed => "accepted",
        Fate::RequestOut(cause) | Fate::RequestIn(cause) => match cause {
            Cause::SecurityGroup | Cause::Late => "rejected_by_group",
            Cause::NetworkAcl => "rejected_by_acl",
            Cause::Both => "rejected_by_both",
        },
        Fate::ReplyOut | Fate::ReplyIn => "reply_rejected",
    }
}

fn end_cause(own: &Connection) -> &'static str {
    if own.verdict.fate != Fate::Passed {
        return "rejected";
    }
    match own.ending {
        Ending::Refused => "refused",
        Ending::Silent => "unanswered",
        Ending::Open => "window_end",
        _ if !own.attempt.protocol.has_ports() => "silence",
        Ending::Closed => "closed",
        Ending::Reset | Ending::Probed => "reset",
    }
}

/// All rules, each at the place of its number.
fn numbered_rules<'a>(done: &'a Simulation<'_>) -> Vec<&'a Rule> {
    let groups = done.world.groups.iter();
    groups.flat_map(|group| group.rules.iter()).collect()
}

fn interface_id<'a>(done: &'a Simulation<'_>, number: usize) -> Option<&'a str> {
    done.world.interfaces.get(number).map(|own| own.id.as_str())
}

fn time(second: u32) -> Timestamp {
    Timestamp(BASE + i64::from(second))
}
