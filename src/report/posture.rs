//! What is to be said of groups as they stand, whether or not the logs show any
//! use: ports open to the world, rules that admit everything or their own group,
//! default groups, groups that nothing carries.

use std::collections::BTreeSet;

use crate::model::Direction;
use crate::model::Effect;
use crate::model::Peer;
use crate::model::SgId;
use crate::report::code::Code;
use crate::report::controls::ADMIN_PORTS;
use crate::report::controls::Openness;
use crate::report::document::Analysis;
use crate::report::document::GroupReport;
use crate::report::document::RuleReport;
use crate::report::human;
use crate::report::words;

/// Something to be said of a group or of one of its rules.
#[derive(Clone, Debug)]
pub struct Remark<'a> {
    /// What is said.
    pub code: Code,
    /// The group.
    pub group: &'a GroupReport,
    /// The rule, where it is about one.
    pub rule: Option<&'a RuleReport>,
    /// In one sentence; text of others is not yet escaped.
    pub text: String,
    /// How open it is, where it is open to the world.
    pub open: Openness,
}

/// What may be said of groups and rules by their words.
pub const CODES: [Code; 6] = [
    Code::OpenToWorld,
    Code::AllTraffic,
    Code::SelfReference,
    Code::DefaultGroup,
    Code::UnusedGroup,
    Code::UnrestrictedEgress,
];

/// Ports that are not meant for strangers, each with its service, ascending.
const SENSITIVE: [(u16, &str); 42] = [
    (20, "FTP"),
    (21, "FTP"),
    (22, "SSH"),
    (23, "Telnet"),
    (25, "SMTP"),
    (110, "POP3"),
    (111, "RPC"),
    (135, "RPC"),
    (137, "NetBIOS"),
    (138, "NetBIOS"),
    (139, "NetBIOS"),
    (143, "IMAP"),
    (161, "SNMP"),
    (389, "LDAP"),
    (445, "SMB"),
    (1433, "SQL Server"),
    (1434, "SQL Server"),
    (1521, "Oracle"),
    (2049, "NFS"),
    (2375, "Docker"),
    (2376, "Docker"),
    (3000, "development servers"),
    (3306, "MySQL"),
    (3389, "RDP"),
    (4333, "mSQL"),
    (5000, "development servers"),
    (5432, "PostgreSQL"),
    (5500, "FCP"),
    (5601, "Kibana"),
    (5900, "VNC"),
    (5985, "WinRM"),
    (5986, "WinRM"),
    (6379, "Redis"),
    (8080, "proxies"),
    (8088, "legacy HTTP"),
    (8888, "alternative HTTP"),
    (9200, "Elasticsearch"),
    (9300, "Elasticsearch"),
    (10250, "kubelet"),
    (11211, "memcached"),
    (27017, "MongoDB"),
    (27018, "MongoDB"),
];

/// All remarks, by group and rule.
#[must_use]
pub fn remarks(analysis: &Analysis) -> Vec<Remark<'_>> {
    let named = named_groups(analysis);
    let mut remarks = Vec::new();
    for group in &analysis.security_groups {
        remarks.extend(of_group(group, &named));
        for rule in group
            .rules
            .iter()
            .filter(|rule| rule.effect == Effect::Allow)
        {
            remarks.extend(of_rule(group, rule));
            remarks.extend(of_itself(group, rule));
        }
    }
    remarks
}

/// Groups that rules of other groups name.
fn named_groups(analysis: &Analysis) -> BTreeSet<&SgId> {
    let mut named = BTreeSet::new();
    for group in &analysis.security_groups {
        for rule in &group.rules {
            match &rule.peer {
                Peer::SecurityGroup(id) if *id != group.group_id => {
                    named.insert(id);
                }
                Peer::SecurityGroup(_) | Peer::Cidr(_) | Peer::PrefixList(_) => {}
            }
        }
    }
    named
}

fn of_group<'a>(group: &'a GroupReport, named: &BTreeSet<&SgId>) -> Option<Remark<'a>> {
    let remark = |code, text| {
        Some(Remark {
            code,
            group,
            rule: None,
            text,
            open: Openness::default(),
        })
    };
    if group.group_name == "default" {
        let rules = u64::try_from(group.rules.len()).unwrap_or(u64::MAX);
        if rules == 0 && group.interfaces == 0 {
            return None;
        }
        let rules = human::counted(rules, "rule");
        let carried = human::counted(group.interfaces, "interface");
        return remark(
            Code::DefaultGroup,
            format!("the VPC's default group has {rules} and is carried by {carried}"),
        );
    }
    if group.interfaces == 0 && !named.contains(&group.group_id) {
        let text = "on no interface, and no rule of another group names it";
        return remark(Code::UnusedGroup, text.to_owned());
    }
    None
}

fn of_rule<'a>(group: &'a GroupReport, rule: &'a RuleReport) -> Option<Remark<'a>> {
    let remark = |code, text, open| {
        Some(Remark {
            code,
            group,
            rule: Some(rule),
            text,
            open,
        })
    };
    let world = is_world(&rule.peer);
    let terms = terms(rule);
    let seen = seen(rule);
    let ingress = rule.direction == Direction::Ingress;
    let open = if world && ingress {
        openness(rule)
    } else {
        Openness::closed(rule.direction)
    };
    if world && !ingress && rule.protocol == "all" {
        let text = format!("{terms} lets everything out; {seen}");
        return remark(Code::UnrestrictedEgress, text, open);
    }
    if rule.protocol == "all" {
        let text = format!("{terms} allows everything; {seen}");
        return remark(Code::AllTraffic, text, open);
    }
    if ingress && has_all_ports(rule) {
        let text = format!("{terms} allows every port of {}; {seen}", rule.protocol);
        return remark(Code::AllTraffic, text, open);
    }
    let services = services(open);
    let told = rule.codes.iter().any(|code| code == Code::OpenToWorld.id());
    if services.is_empty() && !told {
        return None;
    }
    let services = if services.is_empty() {
        "a sensitive port".to_owned()
    } else {
        services.join(", ")
    };
    let text = format!("{terms} opens {services} to the world; {seen}");
    remark(Code::OpenToWorld, text, open)
}

/// A rule that lets the group in to itself.
fn of_itself<'a>(group: &'a GroupReport, rule: &'a RuleReport) -> Option<Remark<'a>> {
    let own = Peer::SecurityGroup(group.group_id.clone());
    let text = || format!("{} is the group itself; {}", terms(rule), seen(rule));
    (rule.peer == own).then(|| Remark {
        code: Code::SelfReference,
        group,
        rule: Some(rule),
        text: text(),
        open: Openness::closed(rule.direction),
    })
}

fn terms(rule: &RuleReport) -> String {
    let service = words::service(&rule.protocol, rule.from_port, rule.to_port);
    format!("{service} {} {}", words::toward(rule.direction), rule.peer)
}

fn seen(rule: &RuleReport) -> String {
    if rule.records == 0 {
        return "no use seen".to_owned();
    }
    format!("{} seen", human::counted(rule.records, "record"))
}

/// A prefix so short that it is the world or a good part of it: halves and
/// quarters of it are as open as the whole.
fn is_world(peer: &Peer) -> bool {
    match peer {
        Peer::Cidr(net) => net.prefix_len() <= 4,
        Peer::SecurityGroup(_) | Peer::PrefixList(_) => false,
    }
}

fn has_all_ports(rule: &RuleReport) -> bool {
    let whole = rule.from_port == Some(0) && rule.to_port == Some(65_535);
    whole && has_ports(rule)
}

fn has_ports(rule: &RuleReport) -> bool {
    matches!(rule.protocol.as_str(), "tcp" | "udp")
}

fn openness(rule: &RuleReport) -> Openness {
    let port = |port: Option<i32>| port.and_then(|port| u16::try_from(port).ok());
    let ports = match rule.protocol.as_str() {
        "all" => Some((0, u16::MAX)),
        _ if has_ports(rule) => port(rule.from_port).zip(port(rule.to_port)),
        _ => None,
    };
    let ipv6 = match &rule.peer {
        Peer::Cidr(net) => net.addr().is_ipv6(),
        Peer::SecurityGroup(_) | Peer::PrefixList(_) => false,
    };
    Openness {
        direction: Some(rule.direction),
        ports,
        tcp: rule.protocol != "udp",
        ipv6,
    }
}

/// `SSH (22)`, the first few; a range of many is cut.
fn services(open: Openness) -> Vec<String> {
    const SHOWN: usize = 4;
    let found: Vec<&(u16, &str)> = SENSITIVE
        .iter()
        .filter(|(port, _)| open.has(*port))
        .collect();
    let more = found.len().saturating_sub(SHOWN);
    let mut texts: Vec<String> = found
        .iter()
        .take(SHOWN)
        .map(|(port, service)| format!("{service} ({port})"))
        .collect();
    if more > 0 {
        texts.push(format!("{more} more"));
    }
    texts
}

/// Whether a remark is about remote administration from the world.
#[must_use]
pub fn is_admin(remark: &Remark<'_>) -> bool {
    ADMIN_PORTS.iter().any(|port| remark.open.has(*port))
}
