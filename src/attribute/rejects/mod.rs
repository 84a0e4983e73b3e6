//! Why packets were rejected: groups and ACLs of the time evaluated, replies
//! told from requests, late packets from denials.
//!
//! A record never says which of group and ACL denied (VPC user guide, "Flow
//! log records", `action`), so both are evaluated and the answer is what they
//! say together. Nothing here proposes an opening.
//!
//! `subject` is one rejected half of a conversation and finds its cause,
//! `role` tells replies from requests, `words` say it, and `fix` says what
//! would let it through. `stranger` answers the many that nobody knows.

mod fix;
mod role;
mod stranger;
mod subject;
mod words;

use ipnet::IpNet;

use crate::attribute::case::Case;
use crate::attribute::initiator::Initiator;
use crate::attribute::noise::Noise;
use crate::attribute::rejects::subject::Subject;
use crate::attribute::verdict::NearestRule;
use crate::attribute::verdict::RejectCause;
use crate::attribute::verdict::RejectVerdict;
use crate::evidence::cell::Cell;
use crate::model::Direction;
use crate::model::EniId;
use crate::model::SgId;
use crate::model::SgRuleId;
use crate::net::IpProtocol;

/// REJECTs of one interface, direction, protocol, service port and peer, with
/// their cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectFinding {
    /// The interface that recorded them.
    pub interface_id: EniId,
    /// Its groups, sorted.
    pub group_ids: Vec<SgId>,
    /// Way of the rejected packets.
    pub direction: Direction,
    /// Protocol.
    pub protocol: IpProtocol,
    /// Service port of their connection; `None` where it means nothing.
    pub port: Option<u16>,
    /// The far side: an address, or the prefix that several were folded into.
    pub peer: IpNet,
    /// How many addresses; `None` where memory did not tell them apart.
    pub peers: Option<u64>,
    /// Their groups, sorted.
    pub peer_groups: Vec<SgId>,
    /// Whether they answered a connection that was let through.
    pub reply: bool,
    /// What stopped them.
    pub cause: RejectCause,
    /// The cells of them, added up.
    pub seen: Cell,
    /// Rules that come nearest.
    pub nearest: Vec<NearestRule>,
    /// What they ask of a person.
    pub verdict: RejectVerdict,
    /// The cheapest way to let them through, where they look wanted and it is
    /// known to be enough.
    pub fix: Option<String>,
    /// Rules that surely dropped it, strongest first; none where it was the lack
    /// of a rule.
    pub dropped_by: Vec<SgRuleId>,
    /// The explanation in words.
    pub text: String,
}

/// Explains what of a conversation was rejected. Where noise is folded, it is
/// only noted: whether it is told one by one depends on how much there is.
pub fn explain(
    case: &Case<'_, '_>,
    initiator: Initiator,
    findings: &mut Vec<RejectFinding>,
    noise: &mut Vec<Noise>,
) {
    let fold_noise = case.docket.bench.fold_noise;
    if fold_noise && let Some(known) = stranger::noise(case, initiator) {
        return noise.push(known);
    }
    for subject in subjects(case, initiator) {
        subject.credit();
        let noted = fold_noise.then(|| subject.noise()).flatten();
        match noted {
            Some(one) => noise.push(one),
            None => findings.push(subject.finding()),
        }
    }
}

/// Explains noise in full, as anything else.
pub fn explain_noise(
    case: &Case<'_, '_>,
    initiator: Initiator,
    direction: Direction,
    findings: &mut Vec<RejectFinding>,
) {
    let subjects = subjects(case, initiator);
    let wanted = subjects.filter(|subject| subject.direction == direction);
    findings.extend(wanted.map(|subject| subject.finding()));
}

fn subjects<'c, 'a>(
    case: &'c Case<'c, 'a>,
    initiator: Initiator,
) -> impl Iterator<Item = Subject<'c, 'a>> {
    let candidate = case.panel.candidates().first();
    candidate.into_iter().flat_map(move |candidate| {
        Direction::BOTH.into_iter().filter_map(move |direction| {
            let rejected = case.conversation.half(direction).rejected.as_ref()?;
            Some(Subject::new(
                case, *candidate, direction, rejected, initiator,
            ))
        })
    })
}

/// One finding for each interface, direction, protocol, service port and peer,
/// sorted by these: eras are folded. Where the cause changed on the way, the
/// latest is told and the text says that it was another before.
#[must_use]
pub fn folded(mut findings: Vec<RejectFinding>) -> Vec<RejectFinding> {
    findings.sort_by_key(|finding| (finding.key(), finding.seen.last));
    let mut folded: Vec<RejectFinding> = Vec::with_capacity(findings.len());
    for finding in findings {
        match folded.last_mut() {
            Some(last) if last.key() == finding.key() => last.join(finding),
            _ => folded.push(finding),
        }
    }
    folded
}

impl RejectFinding {
    fn key(
        &self,
    ) -> (
        EniId,
        Direction,
        IpProtocol,
        Option<u16>,
        IpNet,
        bool,
        Option<RejectCause>,
    ) {
        (
            self.interface_id,
            self.direction,
            self.protocol,
            self.port,
            self.peer,
            self.reply,
            // Folded noise has a row for each cause.
            (self.peers != Some(1)).then_some(self.cause),
        )
    }

    /// Takes over what a later finding of the same key says.
    fn join(&mut self, mut later: RejectFinding) {
        if later.cause != self.cause {
            later.text = format!("{}; before, {}", later.text, self.text);
        }
        later.seen.merge(&self.seen);
        *self = later;
    }
}
