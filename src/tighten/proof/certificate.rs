//! A proposal with all that is needed to check it again, by itself.
//!
//! A certificate holds today's rules and those after the change, for each of
//! the latter today's rules that contain it, for each thing that was needed
//! the rules that let it through after, and what is taken for granted.
//! [`check`] goes through it once and asks for nothing else: no logs, no
//! snapshot, none of the code that proposes.
//!
//! What it can prove is bounded by what it holds: that the change is safe *if*
//! rules and needs are what it says they are. That they are is said by the
//! hashes of what they were read from, which whoever has the inputs can
//! compare. A seal shows any change of a field; it is no signature, and who
//! writes another certificate can seal that one too.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;
use serde::Serialize;

use crate::attribute::needs::Need;
use crate::checksum::sha256;
use crate::model::Direction;
use crate::model::Peer;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::model::Transport;
use crate::model::VpcId;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::Span;
use crate::net::cidr::is_host;
use crate::tighten::plan::Proposal;
use crate::tighten::proof::Said;
use crate::tighten::proof::book::Book;
use crate::tighten::proof::contain;
use crate::tighten::proof::service::Service;

/// Name and version of this document's form.
pub const SCHEMA: &str = "flowcinch.certificate.v1";

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// What it was made from.
    pub inputs: Inputs,
    /// What is taken for granted, sorted.
    pub assumptions: Vec<Assumption>,
    /// Every proposal that changes something, by group and direction.
    pub proposals: Vec<Certified>,
    /// Proposals that change something and that it says nothing of, sorted: of
    /// rules with ranks it takes more than their own group to tell what they do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uncertified: Vec<Uncertified>,
    /// SHA-256 of all of the above.
    pub seal: String,
}

/// One direction of one group that a certificate says nothing of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uncertified {
    /// The group.
    pub group_id: SgId,
    /// The direction.
    pub direction: Direction,
}

/// What a certificate was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// First and last second seen.
    pub window: Option<Span>,
    /// Records read.
    pub records: u64,
    /// Bytes of memory, or `default`, where peers and ports were told by prefix
    /// and range to stay within it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Conversations that passed, as the analysis understood them.
    pub passed: u64,
    /// SHA-256 of all of them, with the rules that let them through.
    pub passed_sha256: String,
    /// `all`, or `answered` alone.
    pub obligations: String,
    /// `all`, or `one` of the groups that let a conversation through.
    pub assign: String,
    /// `certain` or `high`.
    pub min_confidence: String,
    /// The files of each snapshot.
    pub snapshots: Vec<Vec<HashedFile>>,
    /// The analysis that shows the proposals.
    pub analysis: HashedFile,
}

/// A file by what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HashedFile {
    /// Its name below the path that was given.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
}

/// Something taken for granted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assumption {
    /// `initiator`, `membership`, `vpc_ranges`, `in_doubt`.
    pub kind: String,
    /// Whom it is about.
    pub about: String,
    /// What it is.
    pub text: String,
}

/// One direction of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certified {
    /// The group.
    pub group_id: SgId,
    /// The direction.
    pub direction: Direction,
    /// Today's rules, sorted by id.
    pub today: Vec<Rule>,
    /// Rules after the change: kept ones under their id, others under what
    /// they say.
    pub after: Vec<Rule>,
    /// For each rule after that none of today's says, those that contain it.
    pub containment: Vec<Contained>,
    /// Ranges that members of a group can have, for new references.
    pub reach: Vec<Reach>,
    /// Addresses that carried a group in every snapshot, for new references.
    pub members: Vec<Members>,
    /// All that was needed, sorted.
    pub obligations: Vec<Obligation>,
    /// SHA-256 of all of the above.
    pub sha256: String,
}

/// A rule by what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its id.
    pub rule_id: SgRuleId,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, `all` or a number.
    pub protocol: String,
    /// First port, or ICMP type.
    pub from_port: Option<i32>,
    /// Last port, or ICMP code.
    pub to_port: Option<i32>,
    /// Whom it admits.
    pub peer: Peer,
}

/// Why a rule opens nothing new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contained {
    /// The rule after the change.
    pub rule_id: SgRuleId,
    /// Today's rules that let all of it through together: every one that
    /// shares a packet with it.
    pub within: Vec<SgRuleId>,
}

/// Ranges that members of a group can have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reach {
    /// The group.
    pub group_id: SgId,
    /// Ranges of its VPCs.
    pub ranges: Vec<IpNet>,
}

/// Addresses that carried a group in every snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Members {
    /// The group.
    pub group_id: SgId,
    /// Its addresses among those that were seen.
    pub addresses: Vec<IpAddr>,
}

/// Something that was needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Obligation {
    /// `tcp`, `udp`, `icmp`, `icmpv6` or a number.
    pub protocol: String,
    /// First point of its service.
    pub from_port: u16,
    /// Last point of its service.
    pub to_port: u16,
    /// The far side.
    pub peer: IpAddr,
    /// The addresses of which it is the first, where it was one or more of them
    /// and none of today's rules tells which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub among: Option<IpNet>,
    /// Today's rules that let some of it through.
    pub covered_by: Vec<SgRuleId>,
    /// Rules after the change that let all of that through, each some of it
    /// that those before it do not.
    pub witnesses: Vec<SgRuleId>,
}

/// What a certificate that was not refused says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holds {
    /// Proposals.
    pub proposals: u64,
    /// Obligations with a witness.
    pub obligations: u64,
    /// Rules shown to open nothing.
    pub contained: u64,
}

/// Why a certificate is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is not JSON of this form.
    #[error("not a certificate of the form `{SCHEMA}`: {0}")]
    Form(#[from] serde_json::Error),
    /// It says that it is something else.
    #[error("schema is `{0}`, this program checks `{SCHEMA}`")]
    Schema(String),
    /// A value is written in another way than a certificate is.
    #[error("a value is not written as in a certificate, so it was changed")]
    Spelling,
    /// One of the proposals does not hold.
    #[error("{direction} of `{group}`: {why}")]
    Proposal {
        /// The group.
        group: SgId,
        /// The direction.
        direction: Direction,
        /// What is wrong.
        why: String,
    },
    /// What it leaves out stands in the wrong place.
    #[error("uncertified: one stands twice, or out of order")]
    Uncertified,
    /// What it takes for granted is not what its proposals need.
    #[error("assumptions: {0}")]
    Assumptions(String),
    /// Something was changed after it was sealed.
    #[error("the seal does not fit: a field outside the proposals was changed")]
    Seal,
}

impl Certified {
    /// The evidence that a proposal for one direction of `group` is safe.
    #[must_use]
    pub fn of(
        group: &SecurityGroup,
        proposal: &Proposal,
        needs: &[Need],
        book: &Book<'_>,
    ) -> Certified {
        let mut today: Vec<&SgRule> = group.rules_of(proposal.direction).collect();
        today.sort_by(|a, b| a.id.cmp(&b.id));
        let keep: BTreeSet<&SgRuleId> = proposal.keep.iter().collect();
        let kept = today.iter().filter(|rule| keep.contains(&rule.id));
        let mut after: Vec<Rule> = kept.map(|rule| Rule::of(rule)).collect();
        after.extend(proposal.rules.iter().map(|planned| {
            let id = SgRule::derived_id(
                &group.id,
                proposal.direction,
                planned.transport,
                &planned.peer,
            );
            Rule::new(id, planned.transport, &planned.peer)
        }));
        let mut certified = Certified {
            group_id: group.id.clone(),
            direction: proposal.direction,
            today: today.into_iter().map(Rule::of).collect(),
            after,
            containment: Vec::new(),
            reach: Vec::new(),
            members: Vec::new(),
            obligations: Vec::new(),
            sha256: String::new(),
        };
        let peers = needs.iter().map(|need| need.peer).collect();
        (certified.members, certified.reach) =
            certified.references(group.vpc_id.as_ref(), &peers, book);
        let desk = Desk::of(&certified);
        if let Ok(desk) = desk {
            let containment = desk.containment();
            let obligations = needs.iter().map(|need| desk.obligation(need)).collect();
            certified.containment = containment;
            certified.obligations = obligations;
        }
        certified.rehash();
        certified
    }

    /// Rules of one direction of a group as a certificate writes them.
    #[must_use]
    pub fn rules_of(group: &SecurityGroup, direction: Direction) -> Vec<Rule> {
        let mut today: Vec<&SgRule> = group.rules_of(direction).collect();
        today.sort_by(|a, b| a.id.cmp(&b.id));
        today.into_iter().map(Rule::of).collect()
    }

    /// Groups that new rules name, sorted.
    fn new_references(&self) -> BTreeSet<&SgId> {
        let said = |rule: &'_ Rule| (rule.protocol.clone(), rule.from_port, rule.to_port);
        let today = self.today.iter();
        let old: BTreeSet<_> = today.map(|rule| (said(rule), &rule.peer)).collect();
        let new = self.after.iter();
        let new = new.filter(|rule| !old.contains(&(said(rule), &rule.peer)));
        new.filter_map(|rule| label(&rule.peer)).collect()
    }

    /// What must be known of groups that new rules name: who of those seen is
    /// a member, and where else today's rules let their members in.
    fn references(
        &self,
        vpc: Option<&VpcId>,
        peers: &BTreeSet<IpAddr>,
        book: &Book<'_>,
    ) -> (Vec<Members>, Vec<Reach>) {
        let of = |id: &SgId| {
            let carried = |peer: &&IpAddr| book.carried(id, vpc, **peer);
            let members = Members {
                group_id: id.clone(),
                addresses: peers.iter().filter(carried).copied().collect(),
            };
            let reach = Reach {
                ranges: book.reach(id).unwrap_or_default(),
                group_id: id.clone(),
            };
            (members, reach)
        };
        self.new_references().into_iter().map(of).unzip()
    }

    /// Whether what it says of groups is what the snapshots say.
    #[must_use]
    pub fn knows(&self, group: &SecurityGroup, book: &Book<'_>) -> bool {
        let peers = self.obligations.iter().map(|owed| owed.peer).collect();
        let (members, reach) = self.references(group.vpc_id.as_ref(), &peers, book);
        (&self.members, &self.reach) == (&members, &reach)
    }

    /// Writes its hash anew after a change.
    pub fn rehash(&mut self) {
        self.sha256 = self.hash();
    }

    fn hash(&self) -> String {
        let open = Certified {
            sha256: String::new(),
            ..self.clone()
        };
        hash_of(&open)
    }

    /// Whether all of it fits together; why not, else.
    fn check(&self) -> Result<(), String> {
        let desk = Desk::of(self)?;
        let named = self.new_references();
        let members = self.members.iter().map(|one| &one.group_id);
        let reach = self.reach.iter().map(|one| &one.group_id);
        if !named.iter().copied().eq(members) || !named.iter().copied().eq(reach) {
            return Err("what it says of groups is not said once of each new reference".to_owned());
        }
        if desk.containment() != self.containment {
            return Err("the rules named to contain the new ones are not those that do".to_owned());
        }
        for contained in &self.containment {
            desk.contained(contained)?;
        }
        for obligation in &self.obligations {
            desk.kept(obligation)?;
        }
        if self.sha256 != self.hash() {
            return Err("its hash does not fit: a field of it was changed".to_owned());
        }
        Ok(())
    }
}

/// A proposal laid out to be checked.
struct Desk<'a> {
    today: BTreeMap<&'a SgRuleId, (Transport, &'a Peer)>,
    /// In the order of the certificate.
    after: Vec<(&'a SgRuleId, Transport, &'a Peer)>,
    reach: BTreeMap<&'a SgId, &'a [IpNet]>,
    members: BTreeMap<&'a SgId, BTreeSet<IpAddr>>,
}

impl<'a> Desk<'a> {
    fn of(certified: &'a Certified) -> Result<Desk<'a>, String> {
        let mut desk = Desk {
            today: BTreeMap::new(),
            after: Vec::new(),
            reach: BTreeMap::new(),
            members: BTreeMap::new(),
        };
        for rule in &certified.today {
            let said = (rule.transport()?, &rule.peer);
            if desk.today.insert(&rule.rule_id, said).is_some() {
                return Err(format!(
                    "rule `{}` stands twice among today's",
                    rule.rule_id
                ));
            }
        }
        let mut ids = BTreeSet::new();
        for rule in &certified.after {
            let transport = rule.transport()?;
            if !ids.insert(&rule.rule_id) {
                return Err(format!(
                    "rule `{}` stands twice after the change",
                    rule.rule_id
                ));
            }
            let (group, direction) = (&certified.group_id, certified.direction);
            let own = match desk.today.get(&rule.rule_id) {
                Some(old) => *old == (transport, &rule.peer),
                None => rule.rule_id == SgRule::derived_id(group, direction, transport, &rule.peer),
            };
            if !own {
                return Err(format!(
                    "rule `{}` does not say what its id stands for",
                    rule.rule_id
                ));
            }
            desk.after.push((&rule.rule_id, transport, &rule.peer));
        }
        desk.reach = certified
            .reach
            .iter()
            .map(|one| (&one.group_id, one.ranges.as_slice()))
            .collect();
        let members = certified.members.iter();
        desk.members = members
            .map(|one| (&one.group_id, one.addresses.iter().copied().collect()))
            .collect();
        Ok(desk)
    }

    /// For each rule that is not one of today's, the rules of today that
    /// share a packet with it.
    fn containment(&self) -> Vec<Contained> {
        let old: BTreeSet<(Transport, &Peer)> = self.today.values().copied().collect();
        let new = self
            .after
            .iter()
            .filter(|(_, transport, peer)| !old.contains(&(*transport, *peer)));
        new.map(|(id, transport, peer)| Contained {
            rule_id: (*id).clone(),
            within: self.sharing(*transport, peer),
        })
        .collect()
    }

    fn sharing(&self, transport: Transport, peer: &Peer) -> Vec<SgRuleId> {
        let reach = self.reach_of(peer);
        let shares = |said: &Said<'_>| {
            let at = |peer: &Peer| contain::common_beyond((transport, peer), *said, &[]).is_some();
            at(peer) || reach.iter().any(|net| at(&Peer::Cidr(*net)))
        };
        let sharing = self.today.iter().filter(|(_, said)| shares(said));
        sharing.map(|(id, _)| (*id).clone()).collect()
    }

    fn reach_of(&self, peer: &Peer) -> &'a [IpNet] {
        let reach = label(peer).and_then(|id| self.reach.get(id));
        reach.copied().unwrap_or_default()
    }

    fn contained(&self, contained: &Contained) -> Result<(), String> {
        let id = &contained.rule_id;
        let own = self.after.iter().find(|(own, _, _)| *own == id);
        let (_, transport, peer) =
            own.ok_or_else(|| format!("rule `{id}` is not after the change"))?;
        let within: Vec<Said<'_>> = contained
            .within
            .iter()
            .filter_map(|id| self.today.get(id).copied())
            .collect();
        let reach = self.reach_of(peer);
        let packet = if reach.is_empty() {
            contain::beyond(*transport, peer, &within)
        } else {
            contain::beyond_reach(*transport, peer, &within, reach)
        };
        packet.map_or(Ok(()), |packet| {
            Err(format!(
                "rule `{id}` lets in {packet}, which today's rules do not"
            ))
        })
    }

    fn obligation(&self, need: &Need) -> Obligation {
        let mut obligation = Obligation {
            protocol: need.protocol.to_string(),
            from_port: need.service.from(),
            to_port: need.service.to(),
            peer: need.peer,
            among: need.among,
            covered_by: need.covered_by.clone(),
            witnesses: Vec::new(),
        };
        if let Ok(asked) = Asked::of(&obligation, self) {
            obligation.witnesses = self.witnesses(&asked).0;
        }
        obligation
    }

    /// Whether its witnesses let all through that passes today.
    fn kept(&self, obligation: &Obligation) -> Result<(), String> {
        let told = |why: &str| {
            format!(
                "{}/{}-{} {}: {why}",
                obligation.protocol, obligation.from_port, obligation.to_port, obligation.peer
            )
        };
        let asked = Asked::of(obligation, self).map_err(|why| told(&why))?;
        let (witnesses, left) = self.witnesses(&asked);
        if let Some(part) = left.first() {
            return Err(told(&format!(
                "nothing lets {} through after the change",
                part.range()
            )));
        }
        if witnesses != obligation.witnesses {
            return Err(told("its witnesses are not the rules that let it through"));
        }
        Ok(())
    }

    /// The first rules that let it through together, and what is left.
    fn witnesses(&self, asked: &Asked<'_>) -> (Vec<SgRuleId>, Vec<Service>) {
        let mut left = asked.parts.clone();
        let mut witnesses = Vec::new();
        for (id, transport, peer) in &self.after {
            let own = Service::of(*transport, asked.protocol).filter(|_| self.admits(peer, asked));
            let Some(own) = own else { continue };
            if left.iter().any(|part| part.common(own).is_some()) {
                witnesses.push((*id).clone());
                left = left
                    .iter()
                    .flat_map(|part| part.without(own))
                    .flatten()
                    .collect();
            }
        }
        (witnesses, left)
    }

    fn admits(&self, peer: &Peer, asked: &Asked<'_>) -> bool {
        match peer {
            Peer::Cidr(net) => net.contains(&asked.peers),
            Peer::SecurityGroup(id) => {
                // Who the others are, nobody knows.
                let member = is_host(asked.peers)
                    && self
                        .members
                        .get(id)
                        .is_some_and(|all| all.contains(&asked.peer));
                member || asked.references.contains(peer)
            }
            Peer::PrefixList(_) => asked.references.contains(peer),
        }
    }
}

/// An obligation understood.
struct Asked<'a> {
    protocol: IpProtocol,
    peer: IpAddr,
    /// All that it may have been.
    peers: IpNet,
    /// What today's rules let through of it.
    parts: Vec<Service>,
    /// References by which they do.
    references: BTreeSet<&'a Peer>,
}

impl Obligation {
    fn peers(&self) -> IpNet {
        self.among.unwrap_or_else(|| IpNet::from(self.peer))
    }
}

impl<'a> Asked<'a> {
    fn of(obligation: &Obligation, desk: &Desk<'a>) -> Result<Asked<'a>, String> {
        let protocol = protocol(&obligation.protocol)
            .ok_or_else(|| format!("`{}` is no protocol", obligation.protocol))?;
        let service = PortRange::new(obligation.from_port, obligation.to_port)
            .ok_or("its ports run backwards")?;
        let begins =
            |net: IpNet| !is_host(net) && net.trunc() == net && net.addr() == obligation.peer;
        if !obligation.among.is_none_or(begins) {
            return Err("its peer is not the first of the addresses it is among".to_owned());
        }
        if obligation.covered_by.is_empty() {
            return Err("no rule of today lets it through".to_owned());
        }
        let mut asked = Asked {
            protocol,
            peer: obligation.peer,
            peers: obligation.peers(),
            parts: Vec::new(),
            references: BTreeSet::new(),
        };
        for id in &obligation.covered_by {
            let (transport, peer) = desk
                .today
                .get(id)
                .ok_or_else(|| format!("rule `{id}` is not one of today's"))?;
            let own = Service::of(*transport, protocol).and_then(|own| own.common(service.into()));
            let apart = match peer {
                Peer::Cidr(net) => !net.contains(&asked.peers),
                Peer::SecurityGroup(_) | Peer::PrefixList(_) => {
                    asked.references.insert(peer);
                    false
                }
            };
            match own {
                Some(part) if !apart => asked.parts.push(part),
                Some(_) | None => return Err(format!("rule `{id}` does not let it through today")),
            }
        }
        Ok(asked)
    }
}

impl Rule {
    fn of(rule: &SgRule) -> Rule {
        Rule::new(rule.id.clone(), rule.transport, &rule.peer)
    }

    fn new(rule_id: SgRuleId, transport: Transport, peer: &Peer) -> Rule {
        let (from_port, to_port) = transport.from_to().unzip();
        Rule {
            rule_id,
            protocol: transport.protocol_name(),
            from_port,
            to_port,
            peer: peer.clone(),
        }
    }

    fn transport(&self) -> Result<Transport, String> {
        Transport::said(&self.protocol, self.from_port, self.to_port)
            .ok_or_else(|| format!("rule `{}` says no protocol and ports", self.rule_id))
    }
}

impl Certificate {
    /// Puts the parts together and seals them. `others` are assumptions beside
    /// those that the proposals themselves show.
    #[must_use]
    pub fn sealed(
        inputs: Inputs,
        proposals: Vec<Certified>,
        uncertified: Vec<Uncertified>,
        others: Vec<Assumption>,
    ) -> Certificate {
        let mut assumptions = others;
        assumptions.extend(shown(&proposals));
        assumptions.sort();
        assumptions.dedup();
        let mut certificate = Certificate {
            schema: SCHEMA.to_owned(),
            inputs,
            assumptions,
            proposals,
            uncertified,
            seal: String::new(),
        };
        certificate.seal = hash_of(&certificate);
        certificate
    }

    /// The document, newline at the end.
    pub fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// Reads and checks a certificate.
///
/// # Errors
/// A [`Refusal`] with the reason.
pub fn check(text: &[u8]) -> Result<(Certificate, Holds), Refusal> {
    let document: serde_json::Value = serde_json::from_slice(text)?;
    if let Some(other) = document.get("schema").and_then(serde_json::Value::as_str)
        && other != SCHEMA
    {
        return Err(Refusal::Schema(other.to_owned()));
    }
    let certificate: Certificate = serde_json::from_slice(text)?;
    if serde_json::to_value(&certificate)? != document {
        return Err(Refusal::Spelling);
    }
    let mut last = None;
    for proposal in &certificate.proposals {
        let refused = |why: String| Refusal::Proposal {
            group: proposal.group_id.clone(),
            direction: proposal.direction,
            why,
        };
        let place = Some((&proposal.group_id, proposal.direction));
        if place <= last {
            return Err(refused("it stands twice, or out of order".to_owned()));
        }
        last = place;
        proposal.check().map_err(refused)?;
    }
    if !certificate.assumptions.is_sorted_by(|one, next| one < next) {
        return Err(Refusal::Assumptions(
            "one stands twice, or out of order".to_owned(),
        ));
    }
    if !certificate.uncertified.is_sorted_by(|one, next| one < next) {
        return Err(Refusal::Uncertified);
    }
    let told: BTreeSet<&Assumption> = certificate.assumptions.iter().collect();
    let shown = shown(&certificate.proposals);
    if let Some(lacking) = shown.iter().find(|one| !told.contains(one)) {
        return Err(Refusal::Assumptions(format!(
            "`{}` is not told: {}",
            lacking.about, lacking.text
        )));
    }
    let open = Certificate {
        seal: String::new(),
        ..certificate.clone()
    };
    if hash_of(&open) != certificate.seal {
        return Err(Refusal::Seal);
    }
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let holds = Holds {
        proposals: count(certificate.proposals.len()),
        obligations: certificate
            .proposals
            .iter()
            .map(|one| count(one.obligations.len()))
            .sum(),
        contained: certificate
            .proposals
            .iter()
            .map(|one| count(one.containment.len()))
            .sum(),
    };
    Ok((certificate, holds))
}

/// What the proposals rest on, as they show it.
fn shown(proposals: &[Certified]) -> Vec<Assumption> {
    let mut shown = BTreeSet::new();
    for proposal in proposals {
        for reach in &proposal.reach {
            let ranges: Vec<String> = reach.ranges.iter().map(ToString::to_string).collect();
            shown.insert(Assumption {
                kind: "vpc_ranges".to_owned(),
                about: reach.group_id.to_string(),
                text: format!("members have addresses of {} alone", ranges.join(", ")),
            });
        }
        for members in &proposal.members {
            shown.insert(Assumption {
                kind: "membership".to_owned(),
                about: members.group_id.to_string(),
                text: format!(
                    "what was seen to carry it goes on carrying it: {} of its addresses",
                    members.addresses.len()
                ),
            });
        }
    }
    shown.into_iter().collect()
}

fn label(peer: &Peer) -> Option<&SgId> {
    match peer {
        Peer::SecurityGroup(id) => Some(id),
        Peer::Cidr(_) | Peer::PrefixList(_) => None,
    }
}

fn protocol(text: &str) -> Option<IpProtocol> {
    Transport::said(text, Some(-1), Some(-1))
        .or_else(|| Transport::said(text, Some(0), Some(0)))
        .and_then(Transport::protocol)
}

/// SHA-256 of a value's JSON, in hexadecimal; of nothing where it has none.
fn hash_of(value: &impl Serialize) -> String {
    sha256(&serde_json::to_vec(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::world::World;
    use crate::evidence::activity::History;
    use crate::model::Effect;
    use crate::model::SnapshotSeries;
    use crate::net::Timestamp;
    use crate::tighten::plan::Applicability;
    use crate::tighten::plan::Decision;
    use crate::tighten::plan::PlannedRule;
    use crate::tighten::plan::Quota;

    /// A VPC's rule that becomes one for this peer, where 10.0.1.8, or some of
    /// those of which it is the first, asked for 443.
    fn certified(planned: Peer, among: Option<&str>) -> Certified {
        let (own, vpc) = (SgId::from("sg-web"), VpcId::from("vpc-1"));
        let world = World::new()
            .eni("eni-2", "subnet-1", "10.0.1.8", &["sg-b"])
            .group("sg-web", &["in tcp 443 10.0.0.0/16"])
            .group("sg-b", &[])
            .with(|snapshot| {
                let groups = std::sync::Arc::make_mut(&mut snapshot.groups);
                for group in groups.values_mut() {
                    group.vpc_id = Some(vpc.clone());
                }
            });
        let series = SnapshotSeries::new(vec![world.snapshot()]).unwrap();
        let group = &series.latest().groups[&own];
        let [old] = group.rules.as_slice() else {
            panic!("one rule");
        };
        let proposal = Proposal {
            group_id: own,
            direction: Direction::Ingress,
            decision: Decision::Tighten,
            applicability: Applicability::Review,
            reasons: Vec::new(),
            isolates: false,
            rules: vec![PlannedRule {
                transport: old.transport,
                peer: planned,
                priority: None,
                effect: Effect::Allow,
                replaces: vec![old.id.clone()],
                records: 1,
                seen: None,
            }],
            keep: Vec::new(),
            remove: Vec::new(),
            exposure_before: 0,
            exposure_after: 0,
            quota_before: Quota::default(),
            quota_after: Quota::default(),
            optimality_gap: None,
            curve: Vec::new(),
        };
        let need = Need {
            protocol: IpProtocol::TCP,
            service: PortRange::single(443),
            peer: "10.0.1.8".parse().unwrap(),
            among: among.map(|net| net.parse().unwrap()),
            covered_by: vec![old.id.clone()],
            records: 1,
            seen: History::of(Timestamp(10), Timestamp(20)),
            in_doubt: false,
        };
        Certified::of(group, &proposal, &[need], &Book::new(&series))
    }

    #[test]
    fn addresses_that_do_not_begin_at_the_peer_or_are_one_are_refused() {
        let narrower = Peer::Cidr("10.0.1.0/25".parse().unwrap());
        let honest = certified(narrower, Some("10.0.1.8/29"));
        assert_eq!(honest.check(), Ok(()));
        let told = |among: &str| {
            let mut forged = honest.clone();
            forged.obligations[0].among = Some(among.parse().unwrap());
            forged.rehash();
            forged.check()
        };
        for among in ["10.0.1.8/30", "10.0.1.8/31"] {
            assert_eq!(told(among), Ok(()), "{among}: only the logs tell");
        }
        for among in ["10.0.1.0/28", "10.0.1.16/29", "10.0.1.8/32", "10.0.1.8/25"] {
            let why = told(among).unwrap_err();
            assert!(why.contains("not the first"), "{among}: {why}");
        }
    }

    #[test]
    fn a_member_does_not_stand_for_the_addresses_behind_its_own() {
        let member = || Peer::SecurityGroup(SgId::from("sg-b"));
        assert_eq!(certified(member(), None).check(), Ok(()));
        let several = certified(member(), Some("10.0.1.8/29"));
        let why = several.check().unwrap_err();
        assert!(why.contains("nothing lets"), "{why}");
    }
}
