//! The findings one by one, as trackers take them: each with a name that stays
//! the same from run to run, what it is about, how bad it is, and which controls
//! it touches. SARIF, OCSF, CSV, Markdown and the gate all start from this list.
//!
//! A finding's id is made of its code and its subject, never of counts or
//! times, so that a later run finds the same finding under the same id.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;

use crate::attribute::verdict::RejectVerdict;
use crate::attribute::verdict::RuleStatus;
use crate::attribute::verdict::Tier;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::EniId;
use crate::model::SgId;
use crate::model::SgRuleId;
use crate::net::Timestamp;
use crate::report::code::Code;
use crate::report::controls;
use crate::report::controls::Control;
use crate::report::controls::Openness;
use crate::report::document::Analysis;
use crate::report::document::Coverage;
use crate::report::document::GroupReport;
use crate::report::document::ProposalReport;
use crate::report::document::RejectReport;
use crate::report::document::RuleReport;
use crate::report::document::UnloggedSubnet;
use crate::report::findings;
use crate::report::fingerprint;
use crate::report::human;
use crate::report::posture;
use crate::report::posture::Remark;
use crate::report::words;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; no pipeline stops for it.
    Info,
    /// To be tidied.
    Low,
    /// To be planned.
    Medium,
    /// To be done soon.
    High,
}

impl Severity {
    /// In one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How many of each severity, worst first: `2 high, 5 low`; empty for none.
#[must_use]
pub fn by_severity<'a>(findings: impl Iterator<Item = &'a Listed>) -> String {
    let worst_first = [
        Severity::High,
        Severity::Medium,
        Severity::Low,
        Severity::Info,
    ];
    let mut numbers: BTreeMap<Severity, u64> = BTreeMap::new();
    for one in findings {
        *numbers.entry(one.severity).or_default() += 1;
    }
    let part = |severity: Severity| {
        let number = numbers.get(&severity)?;
        Some(format!("{} {severity}", human::count(*number)))
    };
    let parts: Vec<String> = worst_first.into_iter().filter_map(part).collect();
    parts.join(", ")
}

/// One finding. Texts may hold text of others, not yet escaped.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// `fc-` and 16 hexadecimal digits.
    pub id: String,
    /// What kind it is.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about, most telling id first: `sg-…/sgr-…`.
    pub subject: String,
    /// The group.
    pub group_id: Option<SgId>,
    /// Its name.
    pub group_name: String,
    /// Its VPC.
    pub vpc_id: Option<String>,
    /// The account that owns it.
    pub account_id: Option<String>,
    /// The rule.
    pub rule_id: Option<SgRuleId>,
    /// The interface.
    pub interface_id: Option<EniId>,
    /// The direction.
    pub direction: Option<Direction>,
    /// What was found, in one sentence.
    pub text: String,
    /// Why, and how sure.
    pub reasons: Vec<String>,
    /// Records that speak of it.
    pub records: u64,
    /// First of them.
    pub first_seen: Option<Timestamp>,
    /// Last of them.
    pub last_seen: Option<Timestamp>,
    /// The controls that it touches.
    pub controls: Vec<Control>,
}

impl Listed {
    fn new(code: Code, subject: &[&str], text: String) -> Listed {
        let mut parts = vec![code.id()];
        parts.extend(subject);
        Listed {
            id: format!("fc-{}", fingerprint::short(&parts)),
            code,
            severity: Severity::Info,
            subject: subject.join("/"),
            group_id: None,
            group_name: String::new(),
            vpc_id: None,
            account_id: None,
            rule_id: None,
            interface_id: None,
            direction: None,
            text,
            reasons: Vec::new(),
            records: 0,
            first_seen: None,
            last_seen: None,
            controls: controls_of(code, Openness::default()),
        }
    }

    fn in_group(mut self, group: &GroupReport) -> Listed {
        self.group_id = Some(group.group_id.clone());
        self.group_name.clone_from(&group.group_name);
        self.vpc_id.clone_from(&group.vpc_id);
        self.account_id.clone_from(&group.account_id);
        self
    }
}

fn controls_of(code: Code, open: Openness) -> Vec<Control> {
    let all = controls::of(code).iter();
    all.filter(|control| control.is_about(open))
        .copied()
        .collect()
}

/// The findings of an analysis, worst first, then by code and subject.
#[must_use]
pub fn findings(analysis: &Analysis) -> Vec<Listed> {
    let mut listed = Vec::new();
    for group in &analysis.security_groups {
        listed.extend(group.rules.iter().filter_map(|rule| of_rule(group, rule)));
        let of_group = |proposal: &&ProposalReport| {
            proposal.group_id == group.group_id && findings::tightens(proposal)
        };
        let proposals = analysis.proposals.iter().filter(of_group);
        listed.extend(proposals.filter_map(|proposal| of_proposal(group, proposal)));
    }
    let groups: BTreeMap<&SgId, &GroupReport> = analysis
        .security_groups
        .iter()
        .map(|group| (&group.group_id, group))
        .collect();
    for reject in &analysis.rejects {
        let own = reject.group_ids.first().and_then(|id| groups.get(id));
        listed.extend(of_reject(reject).map(|listed| match own {
            Some(group) => listed.in_group(group),
            None => listed,
        }));
    }
    listed.extend(posture::remarks(analysis).iter().map(of_remark));
    listed.extend(unlogged(&analysis.coverage));
    listed.extend(of_proof(analysis));
    for one in &mut listed {
        one.controls
            .retain(|control| control.standard.is_for(analysis.provider));
    }
    listed.sort_by(|a, b| {
        let key = |one: &Listed| {
            (
                std::cmp::Reverse(one.severity),
                one.code,
                one.subject.clone(),
            )
        };
        key(a).cmp(&key(b))
    });
    listed.dedup_by(|a, b| a.id == b.id);
    listed
}

fn of_rule(group: &GroupReport, rule: &RuleReport) -> Option<Listed> {
    let code = Code::of_status(rule.status)?;
    let (severity, found) = match rule.status {
        RuleStatus::Used | RuleStatus::Unobservable => return None,
        RuleStatus::Unused => unused(rule.tier.unwrap_or(Tier::U0)),
        RuleStatus::Redundant => (Severity::Low, "others let the same connections through"),
        RuleStatus::Shadowed => (Severity::Low, "stronger rules decide all of it"),
        RuleStatus::NoEffect => (Severity::Info, "groups never filter that traffic"),
    };
    let service = words::service(&rule.protocol, rule.from_port, rule.to_port);
    let toward = words::toward(rule.direction);
    let rank = words::rank(rule.effect, rule.priority);
    let text = format!(
        "{} {service} {toward} {}{rank}: {found}",
        rule.direction, rule.peer
    );
    let subject = [group.group_id.as_str(), rule.rule_id.as_str()];
    let mut listed = with_rule(Listed::new(code, &subject, text).in_group(group), rule);
    listed.severity = severity;
    listed.reasons.clone_from(&rule.reasons);
    Some(listed)
}

fn unused(tier: Tier) -> (Severity, &'static str) {
    match tier {
        Tier::U0 => (
            Severity::Info,
            "no use seen, but too little watched to tell",
        ),
        Tier::U1 => (Severity::Low, "not observed (U1)"),
        Tier::U2 => (Severity::Low, "probably unused (U2)"),
        Tier::U3 => (Severity::Medium, "removal candidate (U3)"),
        Tier::U4 => (
            Severity::Medium,
            "removal candidate, yearly jobs included (U4)",
        ),
    }
}

fn with_rule(mut listed: Listed, rule: &RuleReport) -> Listed {
    listed.rule_id = Some(rule.rule_id.clone());
    listed.direction = Some(rule.direction);
    listed.records = rule.records;
    listed.first_seen = rule.first_seen;
    listed.last_seen = rule.last_seen;
    listed
}

/// A proposal that narrows; one that only removes repeats what is said of the
/// rules that it removes.
fn of_proposal(group: &GroupReport, proposal: &ProposalReport) -> Option<Listed> {
    let isolates = proposal.inner_access_policy.is_some();
    if proposal.rules.is_empty() && !isolates {
        return None;
    }
    let before = human::volume(&proposal.exposure_before);
    let after = human::volume(&proposal.exposure_after);
    let direction = proposal.direction.to_string();
    let number = |effect: Effect| {
        let rules = proposal.rules.iter().filter(|rule| rule.effect == effect);
        u64::try_from(rules.count()).unwrap_or(u64::MAX)
    };
    let (narrower, drops) = (number(Effect::Allow), number(Effect::Drop));
    let parts = [
        isolates.then(|| "the intra-group policy Drop".to_owned()),
        (drops > 0).then(|| human::counted(drops, "Drop rule")),
        (narrower > 0).then(|| human::counted(narrower, "narrower rule")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let what = parts.join(" and ");
    let text = format!(
        "{direction}: {what} would do, exposure {before} -> {after}; {}",
        words::applicability(proposal.applicability)
    );
    let subject = [group.group_id.as_str(), &direction];
    let mut listed = Listed::new(Code::WideRule, &subject, text).in_group(group);
    listed.severity = Severity::Medium;
    listed.direction = Some(proposal.direction);
    listed.controls = controls_of(Code::WideRule, Openness::closed(proposal.direction));
    listed.records = proposal
        .rules
        .iter()
        .map(|rule| rule.records)
        .fold(0, u64::saturating_add);
    listed.reasons.clone_from(&proposal.reasons);
    Some(listed)
}

fn of_reject(reject: &RejectReport) -> Option<Listed> {
    let severity = match reject.verdict {
        RejectVerdict::Misconfiguration => Severity::Medium,
        RejectVerdict::Unclear => Severity::Info,
        RejectVerdict::Noise | RejectVerdict::Expected => return None,
    };
    let port = reject
        .port
        .map_or_else(String::new, |port| format!("/{port}"));
    let service = format!("{}{port}", reject.protocol);
    let direction = reject.direction.to_string();
    let kind = if reject.reply { "reply" } else { "request" };
    let interface = reject.interface_id.to_string();
    let subject = [&*interface, &*direction, kind, &*service, &*reject.peer];
    let mut listed = Listed::new(Code::of_reject(reject), &subject, reject.text.clone());
    listed.severity = severity;
    listed.interface_id = Some(reject.interface_id);
    listed.group_id = reject.group_ids.first().cloned();
    listed.direction = Some(reject.direction);
    listed.records = reject.records;
    listed.first_seen = Some(reject.first_seen);
    listed.last_seen = Some(reject.last_seen);
    Some(listed)
}

fn of_remark(remark: &Remark<'_>) -> Listed {
    let group = remark.group;
    let rule = remark.rule.map_or("", |rule| rule.rule_id.as_str());
    let subject = [group.group_id.as_str(), rule];
    let subject = subject
        .get(..1 + usize::from(!rule.is_empty()))
        .unwrap_or(&subject);
    let mut listed = Listed::new(remark.code, subject, remark.text.clone()).in_group(group);
    if let Some(rule) = remark.rule {
        listed = with_rule(listed, rule);
    }
    listed.controls = controls_of(remark.code, remark.open);
    if remark.code == Code::AllTraffic && remark.open.ports.is_some() {
        listed.controls = merged(remark.open);
    }
    listed.severity = severity_of(remark);
    listed
}

/// What admits everything from the world touches what an open port does too.
fn merged(open: Openness) -> Vec<Control> {
    let mut controls = controls_of(Code::AllTraffic, open);
    controls.extend(controls_of(Code::OpenToWorld, open));
    controls.sort_by_key(|control| (control.standard, control.id));
    controls.dedup();
    controls
}

fn severity_of(remark: &Remark<'_>) -> Severity {
    let to_world = remark.open.ports.is_some();
    let is_open = [Code::OpenToWorld, Code::AllTraffic].contains(&remark.code);
    let worst = posture::is_admin(remark) || (remark.code == Code::AllTraffic && to_world);
    match (is_open, worst) {
        (true, true) => Severity::High,
        (true, false) => Severity::Medium,
        (false, _) if remark.code == Code::SelfReference => Severity::Info,
        (false, _) => Severity::Low,
    }
}

/// Subnets that are dark as a whole are one finding each, since one flow log
/// mends each; where others of the subnet are logged, an interface that is not
/// is a finding of its own, and so is one that goes dark later.
fn unlogged(coverage: &Coverage) -> Vec<Listed> {
    let subnets = &coverage.unlogged_subnets;
    let told: BTreeSet<&EniId> = subnets.iter().flat_map(|one| &one.interfaces).collect();
    let alone = coverage.unlogged_interfaces.iter();
    let alone = alone.filter(|id| !told.contains(id)).map(of_unlogged);
    subnets
        .iter()
        .map(of_unlogged_subnet)
        .chain(alone)
        .collect()
}

fn of_unlogged(interface: &EniId) -> Listed {
    let id = interface.to_string();
    let text = "in the snapshot, but the logs never speak of it: is it covered by a flow log?";
    let mut listed = Listed::new(Code::UnloggedInterface, &[&id], text.to_owned());
    listed.interface_id = Some(*interface);
    listed.severity = Severity::Low;
    listed
}

fn of_unlogged_subnet(subnet: &UnloggedSubnet) -> Listed {
    let interfaces = u64::try_from(subnet.interfaces.len()).unwrap_or(u64::MAX);
    let text = format!(
        "{} in the snapshot, and the logs speak of none: is the subnet covered by a flow log?",
        human::counted(interfaces, "interface")
    );
    let mut listed = Listed::new(Code::UnloggedInterface, &[&subnet.subnet_id], text);
    listed.vpc_id.clone_from(&subnet.vpc_id);
    listed.severity = Severity::Low;
    listed
}

fn of_proof(analysis: &Analysis) -> Option<Listed> {
    let verification = &analysis.verification;
    let (broken, widened) = (verification.broken, verification.widened);
    if broken == 0 && widened == 0 {
        return None;
    }
    let text = format!("the proof failed: {broken} broken, {widened} widened; apply nothing");
    let mut listed = Listed::new(Code::ProofFailed, &["proof"], text);
    listed.severity = Severity::High;
    Some(listed)
}
