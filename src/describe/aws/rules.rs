//! `describe-security-group-rules`, and how its rows join what
//! `describe-security-groups` shows of the same group.
//!
//! The rows are the rules, because they carry ids and descriptions. A rule
//! that only the other view shows is kept under a derived id: the two calls
//! were made at two moments, and losing a rule would be a lie.

use std::collections::BTreeMap;

use crate::collections::HashMap;
use crate::collections::HashSet;
use crate::describe::aws::groups::GroupDraft;
use crate::describe::aws::groups::PeerDraft;
use crate::describe::aws::groups::RuleDraft;
use crate::describe::aws::groups::group_peer;
use crate::describe::aws::transport::Bounds;
use crate::describe::aws::transport::protocol;
use crate::describe::aws::transport::transport;
use crate::describe::error::Fault;
use crate::describe::json::Object;
use crate::describe::note::Doubt;
use crate::describe::note::Notes;
use crate::describe::note::subject;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::GroupPolicy;
use crate::model::Limits;
use crate::model::Peer;
use crate::model::PrefixListId;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::model::VpcId;

/// One row: a rule with its group and, as a rule, its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::describe) struct RuleRow {
    pub(in crate::describe) group: SgId,
    pub(in crate::describe) id: Option<SgRuleId>,
    pub(in crate::describe) rule: RuleDraft,
}

impl RuleRow {
    /// What makes two rows the same rule: the id, else what they say.
    pub(in crate::describe) fn key(&self) -> String {
        let said = || format!("{}: {:?}", self.group, self.rule);
        self.id.as_ref().map_or_else(said, SgRuleId::to_string)
    }
}

/// Reads one row.
pub(in crate::describe) fn row(object: Object<'_>) -> Result<RuleRow, Fault> {
    let id = object.optional_id("SecurityGroupRuleId")?;
    let inner = || -> Result<RuleRow, Fault> {
        let bounds = Bounds::read(object, "FromPort", "ToPort")?;
        Ok(RuleRow {
            group: SgId::from(object.id("GroupId")?),
            id: id.map(SgRuleId::from),
            rule: RuleDraft {
                direction: direction(object)?,
                transport: transport(protocol(object, "IpProtocol")?, bounds)?,
                peer: peer(object)?,
                description: object.words("Description")?,
            },
        })
    };
    inner().map_err(|fault| fault.of("security group rule", id.unwrap_or("?")))
}

fn direction(object: Object<'_>) -> Result<Direction, Fault> {
    match object.flag("IsEgress")? {
        Some(true) => Ok(Direction::Egress),
        Some(false) => Ok(Direction::Ingress),
        None => Err(Fault::new("`IsEgress` is missing")),
    }
}

fn peer(object: Object<'_>) -> Result<PeerDraft, Fault> {
    let known = |peer| Ok(PeerDraft::Known(peer));
    for key in ["CidrIpv4", "CidrIpv6"] {
        if let Some(net) = object.cidr(key)? {
            return known(Peer::Cidr(net));
        }
    }
    if let Some(list) = object.optional_id("PrefixListId")? {
        return known(Peer::PrefixList(PrefixListId::from(list)));
    }
    match object.object("ReferencedGroupInfo")? {
        Some(pair) => group_peer(pair),
        None => Err(Fault::new(
            "none of `CidrIpv4`, `CidrIpv6`, `PrefixListId`, `ReferencedGroupInfo` is given",
        )),
    }
}

/// Joins both views into groups whose rules have ids.
pub(in crate::describe) fn join(
    mut drafts: BTreeMap<SgId, GroupDraft>,
    rows: Vec<RuleRow>,
    notes: &mut Notes,
) -> BTreeMap<SgId, SecurityGroup> {
    let mut rows_of: BTreeMap<SgId, Vec<RuleRow>> = BTreeMap::new();
    for row in rows {
        rows_of.entry(row.group.clone()).or_default().push(row);
    }
    for group in rows_of.keys() {
        if !drafts.contains_key(group) {
            notes.about(Doubt::GROUPS_FROM_RULES, subject(group.as_str()));
            drafts.insert(group.clone(), unseen_group(group));
        }
    }
    let names = Names::of(&drafts);
    let join_one = |(id, draft): (SgId, GroupDraft)| {
        let rows = rows_of.remove(&id).unwrap_or_default();
        (id, joined(draft, rows, &names, notes))
    };
    drafts.into_iter().map(join_one).collect()
}

/// A group of which only rules are known.
fn unseen_group(id: &SgId) -> GroupDraft {
    GroupDraft {
        group: SecurityGroup {
            id: id.clone(),
            name: String::new(),
            description: String::new(),
            vpc_id: None,
            owner_id: None,
            tags: BTreeMap::new(),
            policy: GroupPolicy::default(),
            rules: Vec::new(),
        },
        rules: Vec::new(),
        printed: true,
    }
}

fn joined(
    draft: GroupDraft,
    rows: Vec<RuleRow>,
    names: &Names,
    notes: &mut Notes,
) -> SecurityGroup {
    let GroupDraft {
        mut group,
        rules: seen,
        printed,
    } = draft;
    if !printed && rows.is_empty() {
        notes.about(Doubt::GROUP_WITHOUT_PERMISSIONS, subject(group.id.as_str()));
    }
    if rows.is_empty() && !seen.is_empty() {
        notes.about(Doubt::NO_RULE_IDS, subject(group.id.as_str()));
    }
    let only_seen = unlisted(&seen, &rows);
    let listed = !rows.is_empty();
    for row in rows {
        let rule = names.rule(&group, row.rule, row.id, notes);
        group.rules.push(rule);
    }
    for draft in only_seen {
        let rule = names.rule(&group, draft, None, notes);
        if listed {
            notes.about(Doubt::RULE_ONLY_IN_PERMISSIONS, subject(rule.id.as_str()));
        }
        group.rules.push(rule);
    }
    group.rules.sort_by(SgRule::by_direction_and_id);
    group.rules.dedup_by(|later, first| later.id == first.id);
    group
}

/// The rules that no row says too.
fn unlisted(seen: &[RuleDraft], rows: &[RuleRow]) -> Vec<RuleDraft> {
    let key = |rule: &RuleDraft| (rule.direction, rule.transport, rule.peer.clone());
    let listed: HashSet<_> = rows.iter().map(|row| key(&row.rule)).collect();
    let missing = seen.iter().filter(|rule| !listed.contains(&key(rule)));
    missing.cloned().collect()
}

/// Groups by VPC and name, to resolve references without an id.
struct Names(HashMap<(Option<VpcId>, String), Option<SgId>>);

impl Names {
    fn of(drafts: &BTreeMap<SgId, GroupDraft>) -> Names {
        let mut names: HashMap<(Option<VpcId>, String), Option<SgId>> = HashMap::new();
        for draft in drafts.values() {
            let key = (draft.group.vpc_id.clone(), draft.group.name.clone());
            // A name that two groups share resolves to neither.
            let unique = !names.contains_key(&key);
            names.insert(key, unique.then(|| draft.group.id.clone()));
        }
        Names(names)
    }

    /// The rule in full. A group that is known by name only, and by no name
    /// of this VPC, stays in the rule under [`stand_in`], which nothing matches.
    fn rule(
        &self,
        group: &SecurityGroup,
        draft: RuleDraft,
        id: Option<SgRuleId>,
        notes: &mut Notes,
    ) -> SgRule {
        let RuleDraft {
            direction,
            transport,
            peer,
            description,
        } = draft;
        let peer = match peer {
            PeerDraft::Known(peer) => peer,
            PeerDraft::GroupNamed(name) => {
                let text = format!("{} of {}", subject(&name), subject(group.id.as_str()));
                notes.about(Doubt::GROUP_NAMED_ONLY, text);
                let key = (group.vpc_id.clone(), name);
                let known = self.0.get(&key).cloned().flatten();
                Peer::SecurityGroup(known.unwrap_or_else(|| stand_in(&key.1)))
            }
        };
        let derived = || SgRule::derived_id(&group.id, direction, transport, &peer);
        SgRule {
            id: id.unwrap_or_else(derived),
            direction,
            effect: Effect::Allow,
            priority: None,
            transport,
            peer,
            limits: Limits::default(),
            description,
        }
    }
}

/// An id in place of one that is missing: no real id has a colon after
/// `name`, and names may be any text, so only plain characters are kept.
fn stand_in(name: &str) -> SgId {
    let plain = |letter: char| {
        if letter.is_ascii_graphic() {
            letter
        } else {
            '_'
        }
    };
    let kept: String = name.chars().take(100).map(plain).collect();
    SgId::from(format!("name:{kept}").as_str())
}
