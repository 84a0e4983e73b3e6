//! Whether rejected packets asked or answered.

use crate::attribute::case::Case;
use crate::attribute::conversation::Conversation;
use crate::attribute::initiator::Initiator;
use crate::attribute::rejects::subject::Role;
use crate::evidence::cell::Cell;
use crate::model::Direction;

/// Whether rejected packets asked or answered, whether others like them were
/// let through before, and the direction of the connection they belong to.
pub(super) fn role(
    case: &Case<'_, '_>,
    direction: Direction,
    rejected: &Cell,
    initiator: Initiator,
) -> (Role, bool, Direction) {
    let conversation = case.conversation;
    let keyed = conversation.key.server.direction();
    if rejected.requests > 0 {
        return (Role::Request, false, keyed);
    }
    if rejected.answers > 0 {
        return (Role::Reply, false, keyed);
    }
    let before = case.before.as_ref().map(|before| before.conversation);
    let flags_decide = [Some(conversation), before]
        .into_iter()
        .flatten()
        .any(Conversation::flags_decide);
    let opened = match initiator {
        _ if flags_decide => keyed,
        Initiator::Settled(opened, _) if conversation.accepted() => opened,
        Initiator::Settled(..) | Initiator::Ambiguous(_) | Initiator::Unexplained => {
            opened_by_rejects(case, direction)
        }
    };
    let followed = passed(case, direction, rejected);
    let role = if opened == direction {
        Role::Request
    } else {
        Role::Reply
    };
    (role, followed, opened)
}

/// Whether packets of a direction were let through before these were not, in
/// this era or an earlier one.
fn passed(case: &Case<'_, '_>, direction: Direction, rejected: &Cell) -> bool {
    let before = case.before.as_ref().map(|before| before.conversation);
    let halves = [Some(case.conversation), before]
        .into_iter()
        .flatten()
        .map(|one| one.half(direction));
    halves
        .filter_map(|half| half.accepted)
        .any(|cell| cell.first <= rejected.first)
}

/// Who opened, told by what was let through: a rejected half whose opposite
/// was accepted is a reply; a lone one is taken in its own direction.
fn opened_by_rejects(case: &Case<'_, '_>, direction: Direction) -> Direction {
    let before = case.before.as_ref().map(|before| before.conversation);
    let accepted = |direction| {
        let both = [Some(case.conversation), before];
        both.into_iter()
            .flatten()
            .any(|one| one.half(direction).accepted.is_some())
    };
    if accepted(direction.reverse()) && !accepted(direction) {
        direction.reverse()
    } else {
        direction
    }
}
