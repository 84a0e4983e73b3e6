//! Other rules to hold what was seen against, recognised by what the file
//! holds: the proposals of an analysis, another snapshot, a Terraform plan.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

use crate::attribute::watch::counted;
use crate::describe;
use crate::describe::DescribeError;
use crate::describe::terraform;
use crate::model::Effect;
use crate::model::EniId;
use crate::model::Limits;
use crate::model::Peer;
use crate::model::PrefixListId;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::model::Snapshot;
use crate::model::Transport;
use crate::report::document::Analysis;
use crate::report::document::ProposalReport;
use crate::report::findings::tightens;
use crate::report::json;
use crate::report::verify::RulesKind;
use crate::report::verify::Undecided;
use crate::tighten::proof::certificate;

/// Why no rules came of a path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// The file cannot be read, or is no snapshot or plan.
    #[error(transparent)]
    Describe(#[from] DescribeError),
    /// It says that it is an analysis, and is none.
    #[error("`{}`", .0.display())]
    Document(PathBuf, #[source] json::DocumentError),
    /// Its addresses stand for others.
    #[error("`{}` is pseudonymised: its rules are of other addresses; give the analysis itself", .0.display())]
    Pseudonymised(PathBuf),
    /// It is JSON of a kind that holds no rules.
    #[error(
        "`{}`: holds no rules; give an analysis.json, a certificate.json, a snapshot, or what `terraform show -json` prints of a plan", .0.display()
    )]
    NoRules(PathBuf),
    /// It says that it is something that this program does not read.
    #[error(
        "`{}`: `{schema}` holds no rules that this program reads; give `flowcinch.analysis.v1`, `{certificate}`, a snapshot, or what `terraform show -json` prints of a plan", .path.display(), certificate = certificate::SCHEMA
    )]
    Schema {
        /// The file.
        path: PathBuf,
        /// What it says.
        schema: String,
    },
    /// It is cut off, or was never JSON.
    #[error("`{}`: not JSON, cut off or damaged: write it again", .0.display())]
    Syntax(PathBuf, #[source] serde_json::Error),
    /// An analysis of other rules.
    #[error(
        "`{}`: {why}; the analysis was made from another snapshot, analyze anew or give that one", .path.display()
    )]
    Foreign {
        /// The analysis.
        path: PathBuf,
        /// What does not fit.
        why: String,
    },
}

/// What a file holds.
#[derive(Debug)]
pub enum Given {
    /// Rules to hold what was seen against.
    Rules(Rules),
    /// The text of a certificate.
    Certificate(Vec<u8>),
}

/// Other rules.
#[derive(Debug)]
pub enum Rules {
    /// An analysis with its proposals.
    Analysis(Box<Analysis>),
    /// A plan of Terraform.
    Plan(terraform::Plan),
    /// Another snapshot.
    Snapshot(Box<Snapshot>),
}

/// The rules as they would stand.
#[derive(Debug)]
pub struct Standing {
    /// All groups.
    pub groups: BTreeMap<SgId, SecurityGroup>,
    /// Groups that interfaces would carry, where that is said.
    pub carried: BTreeMap<EniId, Vec<SgId>>,
    /// What to know, in words.
    pub notes: Vec<String>,
    /// What could not be judged.
    pub undecided: Vec<Undecided>,
    /// The other snapshot, where the rules are one.
    pub world: Option<Box<Snapshot>>,
}

impl Given {
    /// Reads what a path holds. A folder with an `analysis.json` is that
    /// analysis, any other a snapshot.
    ///
    /// # Errors
    /// See [`RulesError`].
    pub fn load(path: &Path) -> Result<Given, RulesError> {
        if path.is_dir() {
            let analysis = path.join("analysis.json");
            if analysis.is_file() {
                return Given::load(&analysis);
            }
            return snapshot(path).map(Given::Rules);
        }
        let text = describe::text(path)?;
        let document: Value = serde_json::from_slice(&text)
            .map_err(|error| RulesError::Syntax(path.to_owned(), error))?;
        match document.get("schema").and_then(Value::as_str) {
            Some(certificate::SCHEMA) => return Ok(Given::Certificate(text)),
            Some(schema) if schema.starts_with("flowcinch.analysis.") => {
                let read = json::from_slice(&text);
                let read = read.map_err(|error| RulesError::Document(path.to_owned(), error))?;
                if read.pseudonymised {
                    return Err(RulesError::Pseudonymised(path.to_owned()));
                }
                return Ok(Given::Rules(Rules::Analysis(Box::new(read))));
            }
            Some(schema) => {
                return Err(RulesError::Schema {
                    path: path.to_owned(),
                    schema: schema.escape_debug().to_string(),
                });
            }
            None => {}
        }
        if terraform::is_plan(&document) {
            let plan = terraform::read(path, &document)?;
            return Ok(Given::Rules(Rules::Plan(plan)));
        }
        snapshot(path).map(Given::Rules)
    }
}

/// Another snapshot. One without a group is refused: it would stand for the
/// removal of all of them.
fn snapshot(path: &Path) -> Result<Rules, RulesError> {
    let snapshot = describe::load(path)?.snapshot;
    if snapshot.groups.is_empty() {
        return Err(RulesError::NoRules(path.to_owned()));
    }
    Ok(Rules::Snapshot(Box::new(snapshot)))
}

impl Rules {
    /// What they are.
    #[must_use]
    pub fn kind(&self) -> RulesKind {
        match self {
            Rules::Analysis(_) => RulesKind::Analysis,
            Rules::Plan(_) => RulesKind::TerraformPlan,
            Rules::Snapshot(_) => RulesKind::Snapshot,
        }
    }

    /// The rules as they would stand, from today's.
    ///
    /// # Errors
    /// [`RulesError::Foreign`] where an analysis is of other rules.
    pub fn standing(self, path: &Path, today: &Snapshot) -> Result<Standing, RulesError> {
        let mut standing = Standing {
            groups: (*today.groups).clone(),
            carried: BTreeMap::new(),
            notes: Vec::new(),
            undecided: Vec::new(),
            world: None,
        };
        match self {
            Rules::Analysis(analysis) => {
                let foreign = |why| RulesError::Foreign {
                    path: path.to_owned(),
                    why,
                };
                propose(&analysis, &mut standing).map_err(foreign)?;
            }
            Rules::Plan(plan) => {
                let applied = plan.applied(today);
                standing.groups = applied.groups;
                standing.notes = applied.notes;
                let undecided = applied.unknown.into_iter();
                standing.undecided = undecided
                    .map(|(from, what)| Undecided { from, what })
                    .collect();
            }
            Rules::Snapshot(snapshot) => {
                let missing = today
                    .groups
                    .keys()
                    .filter(|id| !snapshot.groups.contains_key(id));
                let missing = missing.count();
                if missing > 0 {
                    standing.notes.push(format!(
                        "{} of today not in the other snapshot, or without their rules there: taken as deleted", counted(missing, "group")
                    ));
                }
                standing.compared(today, &snapshot);
                let enis = snapshot.enis.values();
                standing.carried = enis.map(|eni| (eni.id, eni.groups.clone())).collect();
                standing.groups = (*snapshot.groups).clone();
                standing.world = Some(snapshot);
            }
        }
        Ok(standing)
    }
}

impl Standing {
    /// Tells what of another snapshot is not held against today's.
    fn compared(&mut self, today: &Snapshot, other: &Snapshot) {
        if other.enis.is_empty() {
            self.undecided.push(Undecided {
                from: "the other snapshot".to_owned(),
                what: "it has no interfaces: who carries which group there is not known".to_owned(),
            });
        } else {
            let is_gone = |id: &&EniId| !other.enis.contains_key(id);
            let gone = today.enis.keys().filter(is_gone).count();
            if gone > 0 {
                self.notes.push(format!(
                    "{} of today not in the other snapshot: held to carry there what they carry today",
                    counted(gone, "interface")
                ));
            }
            let is_new = |id: &&EniId| !today.enis.contains_key(id);
            let new = other.enis.keys().filter(is_new).count();
            if new > 0 {
                self.notes.push(format!(
                    "{} of the other snapshot not in today's: what is new there is not held to be newly open",
                    counted(new, "interface")
                ));
            }
        }
        if other.acls.is_empty() && !today.acls.is_empty() {
            self.notes
                .push("the other snapshot has no network ACLs: they are taken as today".to_owned());
        } else if other.acls != today.acls {
            self.undecided.push(Undecided {
                from: "network ACLs".to_owned(),
                what: "they are others in the other snapshot, and not compared".to_owned(),
            });
        }
        let rules = other.groups.values().flat_map(|group| &group.rules);
        let named: BTreeSet<&PrefixListId> = rules.filter_map(|rule| list(&rule.peer)).collect();
        let entries = |snapshot: &'_ Snapshot, id: &PrefixListId| {
            let list = snapshot.prefix_lists.get(id);
            list.is_some_and(|list| list.entries.is_some())
        };
        for id in named {
            let lacks = match (entries(today, id), entries(other, id)) {
                (_, true) => continue,
                (true, false) => "in today's snapshot and not in the other",
                (false, false) => "in neither snapshot",
            };
            let what = format!("its entries are {lacks}");
            let managed = |snapshot: &'_ Snapshot| {
                let list = snapshot.prefix_lists.get(id);
                list.is_some_and(|list| list.aws_managed)
            };
            if !entries(today, id) && (managed(today) || managed(other)) {
                // Nobody but AWS changes them, at any time.
                self.notes.push(format!("{id}: {what}"));
            } else {
                self.undecided.push(Undecided {
                    from: id.to_string(),
                    what,
                });
            }
        }
    }
}

fn list(peer: &Peer) -> Option<&PrefixListId> {
    match peer {
        Peer::PrefixList(id) => Some(id),
        Peer::Cidr(_) | Peer::SecurityGroup(_) => None,
    }
}

/// Puts all proposals of an analysis in force.
fn propose(analysis: &Analysis, standing: &mut Standing) -> Result<(), String> {
    let proposals: Vec<&ProposalReport> = analysis
        .proposals
        .iter()
        .filter(|one| tightens(one))
        .collect();
    if proposals.is_empty() {
        standing.notes.push(
            "the analysis proposes no change: today's rules are held against themselves".to_owned(),
        );
    }
    for proposal in proposals {
        let Some(group) = standing.groups.get_mut(&proposal.group_id) else {
            return Err(format!(
                "group `{}` is not in the snapshot",
                proposal.group_id
            ));
        };
        filed(group, proposal)?;
        if let Some(policy) = proposal.inner_access_policy {
            group.policy.members_talk = policy == Effect::Allow;
        }
        let keep: BTreeSet<&SgRuleId> = proposal.keep.iter().collect();
        group
            .rules
            .retain(|rule| rule.direction != proposal.direction || keep.contains(&rule.id));
        for planned in &proposal.rules {
            let said = Transport::said(&planned.protocol, planned.from_port, planned.to_port);
            let transport = said.ok_or_else(|| {
                format!(
                    "a proposed rule of `{}` says no protocol and ports",
                    group.id
                )
            })?;
            group.rules.push(SgRule {
                id: SgRule::derived_id(&group.id, proposal.direction, transport, &planned.peer),
                direction: proposal.direction,
                effect: planned.effect,
                priority: planned.priority,
                transport,
                peer: planned.peer.clone(),
                description: String::new(),
                limits: Limits::default(),
            });
        }
    }
    Ok(())
}

/// Whether a proposal speaks of just the rules that the group has.
fn filed(group: &SecurityGroup, proposal: &ProposalReport) -> Result<(), String> {
    let replaced = proposal.rules.iter().flat_map(|rule| &rule.replaces);
    let told: BTreeSet<&SgRuleId> = proposal
        .keep
        .iter()
        .chain(&proposal.remove)
        .chain(replaced)
        .collect();
    let known: BTreeSet<&SgRuleId> = group
        .rules_of(proposal.direction)
        .map(|rule| &rule.id)
        .collect();
    if let Some(strange) = told.difference(&known).next() {
        return Err(format!(
            "rule `{strange}` of `{}` is not in the snapshot",
            group.id
        ));
    }
    if let Some(new) = known.difference(&told).next() {
        return Err(format!(
            "rule `{new}` of `{}` is not in the analysis",
            group.id
        ));
    }
    Ok(())
}
