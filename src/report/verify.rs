//! What a replay against other rules found, as JSON and as text.

use std::net::IpAddr;

use serde::Deserialize;
use serde::Serialize;

use crate::attribute::watch::counted;
use crate::model::Direction;
use crate::model::EniId;
use crate::model::Peer;
use crate::model::SgId;
use crate::model::SgRuleId;
use crate::net::IpProtocol;
use crate::net::Span;
use crate::report::document::Caveat;
use crate::report::document::Ingest;
use crate::report::escape;
use crate::report::human;
use crate::report::words;
use crate::tighten::proof::certificate::Certificate;
use crate::tighten::proof::certificate::Holds;
use crate::tighten::proof::contain::Packet;
use crate::tighten::proof::contain::PacketPeer;

/// Name and version of this document's form.
pub const SCHEMA: &str = "flowcinch.verify.v1";

/// Lines of each list that the text shows unless all are asked for.
const SHOWN: usize = 20;

/// What the rules were that flows were held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RulesKind {
    /// The proposals of an analysis.
    Analysis,
    /// Another snapshot.
    Snapshot,
    /// A plan of Terraform.
    TerraformPlan,
    /// A certificate.
    Certificate,
}

/// What a replay against other rules found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Where the rules come from.
    pub rules: String,
    /// What they are.
    pub kind: RulesKind,
    /// First and last second seen.
    pub window: Option<Span>,
    /// What was read.
    pub ingest: Ingest,
    /// Conversations replayed.
    pub connections: u64,
    /// Conversations that today's rules do not explain; not replayed.
    pub unexplained: u64,
    /// Conversations that would break, sorted.
    pub broken: Vec<BrokenFlow>,
    /// Boxes that would newly open, sorted.
    pub opened: Vec<OpenedBox>,
    /// What could not be judged.
    pub undecided: Vec<Undecided>,
    /// Groups that change and that no log speaks of.
    pub unwatched: Vec<SgId>,
    /// What to know of the rules.
    pub notes: Vec<String>,
    /// What was missing in logs, digests and snapshots, and what it costs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caveats: Vec<Caveat>,
}

/// A conversation that passed and would pass no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenFlow {
    /// The interface that let it through.
    pub interface_id: EniId,
    /// Which way it was opened, seen from the interface.
    pub direction: Direction,
    /// `tcp`, `udp`, `icmp`, `icmpv6` or a number.
    pub protocol: String,
    /// First service port that would break; `None` where it means nothing.
    pub from_port: Option<u16>,
    /// Last service port that would break.
    pub to_port: Option<u16>,
    /// The far side.
    pub peer: IpAddr,
    /// The group whose rule let it through.
    pub group_id: SgId,
    /// The rule that let it through.
    pub rule_id: SgRuleId,
    /// Records of the initiator-to-responder half.
    pub records: u64,
    /// Whether it is not sure who opened it: both readings are kept.
    pub in_doubt: bool,
}

/// A rule that lets through what no rule of its group does today.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedBox {
    /// The group.
    pub group_id: SgId,
    /// The direction.
    pub direction: Direction,
    /// The rule; of one that is yet to be made, where it comes from.
    pub rule_id: SgRuleId,
    /// The interface that newly carries the group, where that is why.
    pub interface_id: Option<EniId>,
    /// What the rule says: protocol.
    pub protocol: String,
    /// First port, or ICMP type.
    pub from_port: Option<i32>,
    /// Last port, or ICMP code.
    pub to_port: Option<i32>,
    /// Whom it admits.
    pub peer: Peer,
    /// A packet that would newly pass.
    pub packet: ExamplePacket,
}

/// A packet that would newly pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExamplePacket {
    /// `tcp`, `udp`, `icmp`, `icmpv6` or a number.
    pub protocol: String,
    /// Its port; of ICMP, `type/code`; `None` where it means nothing.
    pub port: Option<String>,
    /// Its far side: an address, or a member of a group, or an entry of a list.
    pub peer: String,
}

/// Something that could not be judged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Undecided {
    /// Where it stands.
    pub from: String,
    /// What it is.
    pub what: String,
}

impl Verification {
    /// Whether nothing breaks and nothing opens, as far as could be judged.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.broken.is_empty() && self.opened.is_empty()
    }

    /// Why nothing found is not yet nothing there; empty where it is.
    #[must_use]
    pub fn gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        let unreadable = self.ingest.unreadable.len();
        if unreadable > 0 {
            gaps.push(format!("objects that could not be read: {unreadable}"));
        }
        if crate::report::findings::lines(&self.ingest) == 0 {
            gaps.push("no log line was read".to_owned());
        }
        if !self.undecided.is_empty() {
            gaps.push(format!("not judged: {}", self.undecided.len()));
        }
        if !self.unwatched.is_empty() {
            gaps.push(format!(
                "groups that change and whose interfaces were never logged: {}",
                self.unwatched.len()
            ));
        }
        gaps
    }
}

/// A packet in the words of the document.
#[must_use]
pub fn packet(packet: &Packet) -> ExamplePacket {
    let [kind, code] = packet.service.to_be_bytes();
    let port = if packet.protocol.is_icmp() {
        Some(format!("{kind}/{code}"))
    } else {
        let has = matches!(packet.protocol, IpProtocol::TCP | IpProtocol::UDP);
        has.then(|| packet.service.to_string())
    };
    let peer = match &packet.peer {
        PacketPeer::Address(address) => address.to_string(),
        PacketPeer::Member(group) => group.to_string(),
        PacketPeer::Entry(list) => list.to_string(),
    };
    ExamplePacket {
        protocol: packet.protocol.to_string(),
        port,
        peer,
    }
}

/// What became of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateReport {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Where the certificate comes from.
    pub rules: String,
    /// Always [`RulesKind::Certificate`].
    pub kind: RulesKind,
    /// Whether it holds.
    pub holds: bool,
    /// Why it is refused; `None` where it holds.
    pub refused: Option<String>,
    /// Proposals checked.
    pub proposals: u64,
    /// Obligations for which a witness was found.
    pub obligations: u64,
    /// Rules shown to open nothing new.
    pub contained: u64,
    /// What else it was held against: the analysis, the snapshot, the logs.
    pub held_against: Vec<String>,
    /// Proposals that it says nothing of: group and direction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uncertified: Vec<String>,
    /// What it takes for granted.
    pub assumptions: Vec<String>,
}

impl CertificateReport {
    /// One that is refused.
    #[must_use]
    pub fn refused(rules: &str, why: &str) -> CertificateReport {
        CertificateReport {
            schema: SCHEMA.to_owned(),
            rules: rules.to_owned(),
            kind: RulesKind::Certificate,
            holds: false,
            refused: Some(why.to_owned()),
            proposals: 0,
            obligations: 0,
            contained: 0,
            held_against: Vec::new(),
            uncertified: Vec::new(),
            assumptions: Vec::new(),
        }
    }

    /// One that holds.
    #[must_use]
    pub fn holds(
        rules: &str,
        certificate: &Certificate,
        holds: &Holds,
        held_against: Vec<String>,
    ) -> CertificateReport {
        let assumptions = certificate.assumptions.iter();
        CertificateReport {
            holds: true,
            refused: None,
            proposals: holds.proposals,
            obligations: holds.obligations,
            contained: holds.contained,
            held_against,
            uncertified: certificate
                .uncertified
                .iter()
                .map(|one| format!("{} {}", one.group_id, one.direction))
                .collect(),
            assumptions: assumptions
                .map(|one| format!("{}: {}", one.about, one.text))
                .collect(),
            ..CertificateReport::refused(rules, "")
        }
    }
}

/// What became of a certificate, for people.
#[must_use]
pub fn certificate_text(report: &CertificateReport) -> String {
    let mut page = Page {
        text: String::new(),
        most: usize::MAX,
    };
    if let Some(why) = &report.refused {
        page.line(&format!("refused: {why}"));
        return page.text;
    }
    page.line(&format!(
        "holds: {}; {} found to open nothing new, {} to keep passing",
        human::counted(report.proposals, "proposal"),
        human::counted(report.contained, "changed rule"),
        human::counted(report.obligations, "obligation")
    ));
    if report.held_against.is_empty() {
        page.line(
            "checked by itself: give --snapshot and logs to hold it against what it was made from",
        );
    } else {
        page.line(&format!("held against {}", report.held_against.join(", ")));
    }
    page.list("NOT CERTIFIED", &report.uncertified, Clone::clone);
    if !report.uncertified.is_empty() {
        page.line("  Rules with ranks: hold the analysis itself against snapshot and logs.");
    }
    page.list("TAKEN FOR GRANTED", &report.assumptions, Clone::clone);
    page.text
}

/// The report for people: the answer, then what it stands on.
#[must_use]
pub fn text(verification: &Verification, full: bool) -> String {
    let mut page = Page {
        text: String::new(),
        most: if full { usize::MAX } else { SHOWN },
    };
    page.answer(verification);
    page.list("WOULD BREAK", &verification.broken, broken_line);
    page.list("WOULD NEWLY OPEN", &verification.opened, opened_line);
    page.list("COULD NOT BE JUDGED", &verification.undecided, |one| {
        format!("{}: {}", one.from, one.what)
    });
    page.list("NEVER LOGGED", &verification.unwatched, |group| {
        format!("{group}: its rules change, and no log speaks of its interfaces")
    });
    page.list("NOTES", &verification.notes, Clone::clone);
    page.list("CAVEATS", &verification.caveats, |caveat| {
        format!("{} {}", caveat.code, caveat.text)
    });
    page.text
}

struct Page {
    text: String,
    most: usize,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(&escape::inert(line));
        self.text.push('\n');
    }

    fn answer(&mut self, verification: &Verification) {
        let (broken, opened) = (verification.broken.len(), verification.opened.len());
        let unjudged = verification.undecided.len() + verification.unwatched.len();
        let answer = match (broken, opened, unjudged) {
            (0, 0, 0) => "nothing that was seen would break, nothing would newly open".to_owned(),
            (0, 0, _) => "nothing is known to break or to open; not all could be judged".to_owned(),
            _ => format!(
                "{} would break, {} would newly open something",
                counted(broken, "flow"),
                counted(opened, "rule")
            ),
        };
        self.line(&answer);
        self.line(&format!(
            "{} of {} replayed against `{}`; not explained by today's rules: {}",
            human::counted(verification.connections, "conversation"),
            human::counted(verification.ingest.records, "record"),
            verification.rules,
            verification.unexplained
        ));
    }

    fn list<T>(&mut self, title: &str, items: &[T], line: impl Fn(&T) -> String) {
        if items.is_empty() {
            return;
        }
        self.text.push('\n');
        self.line(&format!("{title} ({})", items.len()));
        for item in items.iter().take(self.most) {
            self.line(&format!("  {}", line(item)));
        }
        let rest = items.len().saturating_sub(self.most);
        if rest > 0 {
            self.line(&format!("  … {rest} more: --full, or --format json"));
        }
    }
}

fn broken_line(flow: &BrokenFlow) -> String {
    let ports = (flow.from_port.map(i32::from), flow.to_port.map(i32::from));
    let service = words::service(&flow.protocol, ports.0, ports.1);
    let doubt = if flow.in_doubt {
        ", not sure who opened it"
    } else {
        ""
    };
    format!(
        "{} {service} {} {} at {}: passes by {} of {} ({}{doubt})",
        flow.direction,
        words::toward(flow.direction),
        flow.peer,
        flow.interface_id,
        flow.rule_id,
        flow.group_id,
        human::counted(flow.records, "record")
    )
}

fn opened_line(opened: &OpenedBox) -> String {
    let port = opened.packet.port.as_ref();
    let port = port.map_or_else(String::new, |port| format!("/{port}"));
    let way = match opened.direction {
        Direction::Ingress => "in",
        Direction::Egress => "out",
    };
    let newly = opened
        .interface_id
        .map_or_else(String::new, |id| format!(", newly carried by {id}"));
    format!(
        "{} {}{newly}: {} lets {way} e.g. {}{port} {} {}",
        opened.group_id,
        opened.direction,
        opened.rule_id,
        opened.packet.protocol,
        words::toward(opened.direction),
        opened.packet.peer
    )
}
