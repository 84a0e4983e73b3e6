//! Who opened a conversation? The tests of the procedure in their order; the
//! first that decides is the answer, with how sure it is.
//!
//! Nothing here doubts in favour of removal: what stays ambiguous is returned
//! as such, and both readings are then kept and neither is claimed.

use crate::attribute::conversation::Conversation;
use crate::attribute::conversation::Server;
use crate::attribute::conversation::Services;
use crate::attribute::knowledge::Endpoint;
use crate::attribute::knowledge::Knowledge;
use crate::attribute::knowledge::Service;
use crate::model::Direction;
use crate::net::IpProtocol;
use crate::net::PortRange;

/// How sure an answer is. Orders from weak to strong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// A hint.
    Low,
    /// Likely.
    Medium,
    /// Wrong only where several things conspire.
    High,
    /// No other reading fits the rules of the snapshot and what was watched.
    Only,
    /// As sure as the records are.
    Certain,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initiator {
    /// The connection went in this direction, seen from the interface.
    Settled(Direction, Certainty),
    /// Either end may have opened it; the likelier direction where one is.
    Ambiguous(Option<(Direction, Certainty)>),
    /// No rule of either direction would have let it through.
    Unexplained,
}

/// What the procedure is asked of.
#[derive(Debug)]
pub struct Case<'a> {
    /// The conversation.
    pub conversation: &'a Conversation,
    /// The interface.
    pub local: Endpoint,
    /// The far side.
    pub peer: Endpoint,
    /// Whether some rule of the time could let it in.
    pub ingress_feasible: bool,
    /// Whether some rule of the time could let it out.
    pub egress_feasible: bool,
    /// Whether no record of the interface is known to be lost.
    pub full_coverage: bool,
}

/// The answer for a conversation of which something was let through.
#[must_use]
pub fn initiator(case: &Case<'_>, knowledge: &Knowledge) -> Initiator {
    if let Some(certain) = by_flags(case.conversation) {
        return certain;
    }
    // Tests 4 and 5 before test 1: a tracked connection outlives its rule, and
    // feasibility by today's rules would then name the wrong end.
    let opposite = Opposite::of(case);
    if let Some(known) = known_pair(case, &opposite, knowledge) {
        return known;
    }
    match (case.ingress_feasible, case.egress_feasible) {
        (false, false) => return Initiator::Unexplained,
        (true, false) => return Initiator::Settled(Direction::Ingress, Certainty::Only),
        (false, true) => return Initiator::Settled(Direction::Egress, Certainty::Only),
        (true, true) => {}
    }
    if let Some(settled) = one_way(case) {
        return settled;
    }
    let known = known_service(case, &opposite, knowledge);
    let told = known.unwrap_or_else(|| guess(case, &opposite, knowledge));
    if let Initiator::Settled(direction, Certainty::High) = told
        && knowledge.blurred
    {
        // That nothing speaks against it, means little then.
        return Initiator::Ambiguous(Some((direction, Certainty::Medium)));
    }
    told
}

/// Tests 2 and 3, which ask for nothing but the records' flags. A SYN that no
/// rule lets through is no evidence for the rules of the other direction: the
/// model is wrong somewhere.
#[must_use]
pub fn by_flags(conversation: &Conversation) -> Option<Initiator> {
    let keyed = conversation.key.server.direction();
    let certain = Initiator::Settled(keyed, Certainty::Certain);
    conversation.flags_decide().then_some(certain)
}

/// The answer for a conversation that stands for many peers, whose flags do not
/// tell: whatever is known of one of them is not known of the others. Whether
/// rules of the time could let it in, and out.
#[must_use]
pub fn of_many([ingress, egress]: [bool; 2]) -> Initiator {
    let only = |direction| Initiator::Settled(direction, Certainty::Only);
    match (ingress, egress) {
        (false, false) => Initiator::Unexplained,
        (true, false) => only(Direction::Ingress),
        (false, true) => only(Direction::Egress),
        (true, true) => Initiator::Ambiguous(None),
    }
}

/// The service that the conversation would be of, read along its key.
fn keyed_service(case: &Case<'_>) -> Service {
    let key = &case.conversation.key;
    let server = match key.server {
        Server::Local => case.local,
        Server::Peer => case.peer,
    };
    (server, key.protocol, key.port)
}

/// The services that it would be of, read against its key.
struct Opposite {
    end: Endpoint,
    protocol: IpProtocol,
    ports: Services,
}

impl Opposite {
    fn of(case: &Case<'_>) -> Opposite {
        let key = &case.conversation.key;
        Opposite {
            end: match key.server {
                Server::Local => case.peer,
                Server::Peer => case.local,
            },
            protocol: key.protocol,
            ports: Services::of(&case.conversation.client_ports()),
        }
    }

    /// Each of them, if it is known to the port.
    fn services(&self) -> impl Iterator<Item = Option<Service>> {
        let single = |range: &PortRange| range.count() == 1;
        self.ports
            .iter()
            .map(move |range| single(range).then_some((self.end, self.protocol, range.from())))
    }

    /// Whether something is known of some of them, and whether of all, if there
    /// are any.
    fn known(&self, is: impl Fn(Service) -> bool) -> (bool, bool) {
        let known = |service: Option<Service>| service.is_some_and(&is);
        let some = self.services().any(known);
        (some, some && self.services().all(known))
    }
}

/// Tests 4 and 5: the same two ends and service, decided by the other end's
/// records or by another window's.
fn known_pair(case: &Case<'_>, opposite: &Opposite, knowledge: &Knowledge) -> Option<Initiator> {
    if !case.conversation.key.protocol.has_ports() {
        return None;
    }
    let keyed = case.conversation.key.server.direction();
    let (server, client) = match case.conversation.key.server {
        Server::Local => (case.local, case.peer),
        Server::Peer => (case.peer, case.local),
    };
    let along = knowledge.paired(keyed_service(case), client);
    let (some_against, all_against) = opposite.known(|service| knowledge.paired(service, server));
    match (along, all_against) {
        (true, _) if !some_against => Some(Initiator::Settled(keyed, Certainty::Certain)),
        (false, true) => Some(Initiator::Settled(keyed.reverse(), Certainty::Certain)),
        _ => None,
    }
}

/// Test 6: packets of one direction only, with nothing known to be lost, can
/// only have been let through by that direction's rules.
fn one_way(case: &Case<'_>) -> Option<Initiator> {
    let inward = case.conversation.inward.accepted.is_some();
    let outward = case.conversation.outward.accepted.is_some();
    let settled = |direction| Some(Initiator::Settled(direction, Certainty::Only));
    match (inward, outward) {
        (true, false) if case.full_coverage => settled(Direction::Ingress),
        (false, true) if case.full_coverage => settled(Direction::Egress),
        _ => None,
    }
}

/// Test 7: one end is known to serve this port, the other is not.
fn known_service(case: &Case<'_>, opposite: &Opposite, knowledge: &Knowledge) -> Option<Initiator> {
    if !case.conversation.key.protocol.has_ports() {
        return None;
    }
    let keyed = case.conversation.key.server.direction();
    let along = knowledge.serves(keyed_service(case));
    let (some_against, all_against) = opposite.known(|service| knowledge.serves(service));
    match (along, some_against) {
        (true, false) => Some(Initiator::Settled(keyed, Certainty::High)),
        (false, true) if all_against => Some(Initiator::Settled(keyed.reverse(), Certainty::High)),
        _ => None,
    }
}

/// Tests 8 to 10: how many partners each port has, then the ports themselves.
fn guess(case: &Case<'_>, opposite: &Opposite, knowledge: &Knowledge) -> Initiator {
    let key = &case.conversation.key;
    if !key.protocol.has_ports() {
        return Initiator::Ambiguous(None);
    }
    let keyed = key.server.direction();
    let server_fan = knowledge.partners(keyed_service(case));
    // A client that used many ports used each for few partners.
    let port_fan =
        |service: Option<Service>| service.map_or(1, |service| knowledge.partners(service));
    let client_fan = opposite.services().map(port_fan).max().unwrap_or(0);
    let (many, few, direction) = if server_fan >= client_fan {
        (server_fan, client_fan, keyed)
    } else {
        (client_fan, server_fan, keyed.reverse())
    };
    if !ports_contradict(key.port, &opposite.ports, direction == keyed)
        && many >= 5
        && many >= few.saturating_mul(4)
    {
        if many >= 20 && few <= 2 {
            return Initiator::Settled(direction, Certainty::High);
        }
        return Initiator::Ambiguous(Some((direction, Certainty::Medium)));
    }
    Initiator::Ambiguous(
        guess_by_ports(key.port, &opposite.ports).map(|certainty| (keyed, certainty)),
    )
}

/// Whether the ports speak against the end with many partners: a client may
/// keep one source port for many servers, as NTP, IKE and resolvers do. Equal
/// ports tell nothing; a well-known port at the other end tells the opposite.
fn ports_contradict(port: u16, opposite: &[PortRange], along_key: bool) -> bool {
    let equal = opposite.iter().any(|range| range.contains(port));
    let against_well_known = !along_key && port < 1024;
    equal || against_well_known
}

/// Test 9. The key's port is never above the others where flags are silent,
/// so the guess, if any, is the key's reading.
fn guess_by_ports(port: u16, opposite: &[PortRange]) -> Option<Certainty> {
    let lowest = opposite.iter().map(|range| range.from()).min()?;
    match port {
        0..1024 if lowest >= 1024 => Some(Certainty::Medium),
        1024..32_768 if lowest >= 49_152 => Some(Certainty::Low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::attribute::conversation::ConversationKey;
    use crate::attribute::conversation::Half;
    use crate::attribute::knowledge::Notes;
    use crate::evidence::activity::Activity;
    use crate::evidence::cell::Cell;
    use crate::evidence::cuts::Level;
    use crate::evidence::pool::Breadth;
    use crate::evidence::ports::PortSample;
    use crate::model::TcpFlags;
    use crate::net::IpProtocol;
    use crate::net::Timestamp;

    fn cell(client_ports: &[u16]) -> Cell {
        let mut other_ports = PortSample::default();
        for port in client_ports {
            other_ports.insert(*port);
        }
        Cell {
            records: 1,
            packets: 1,
            bytes: 1,
            first: Timestamp(1_000),
            last: Timestamp(1_050),
            active: Activity::AT_FIRST,
            requests: 0,
            answers: 0,
            plain: 0,
            flags: TcpFlags(0),
            other_ports,
            block_public_access: 0,
        }
    }

    fn peer() -> IpAddr {
        "203.0.113.8".parse().unwrap()
    }

    fn local() -> Endpoint {
        Endpoint::Interface(7)
    }

    /// A conversation without flags, seen both ways, keyed by the lower port.
    fn silent(protocol: IpProtocol, port: u16, client_ports: &[u16]) -> Conversation {
        let half = Half {
            accepted: Some(cell(client_ports)),
            rejected: None,
        };
        let key = ConversationKey {
            peer: peer(),
            protocol,
            port,
            server: Server::Local,
            level: Level::EXACT,
            era: 0,
        };
        Conversation {
            key,
            breadth: None,
            inward: half,
            outward: half,
        }
    }

    /// What one interface learns from conversations with these ends.
    fn told(met: impl IntoIterator<Item = (Endpoint, Conversation)>) -> Knowledge {
        Knowledge::of(vec![noted(met)])
    }

    fn noted(met: impl IntoIterator<Item = (Endpoint, Conversation)>) -> Notes {
        let mut notes = Notes::default();
        for (peer, conversation) in met {
            notes.learn(local(), peer, &conversation);
        }
        notes.close();
        notes
    }

    /// The same where another interface met many that it cannot tell apart.
    fn told_beside_many(met: impl IntoIterator<Item = (Endpoint, Conversation)>) -> Knowledge {
        let mut many = silent(IpProtocol::UDP, 4_500, &[50_000]);
        many.breadth = Some(Breadth {
            peers: "203.0.113.0/24".parse().unwrap(),
            ports: PortRange::single(4_500),
        });
        let mut notes = Notes::default();
        notes.learn_of_many(Endpoint::Interface(8), &many);
        notes.close();
        Knowledge::of(vec![noted(met), notes])
    }

    /// A client of 8443 by its address.
    fn client(host: u8) -> (Endpoint, Conversation) {
        let address = IpAddr::from([198, 51, 100, host]);
        let mut one = silent(IpProtocol::TCP, 8_443, &[40_000 + u16::from(host)]);
        one.key.peer = address;
        (Endpoint::Address(address), one)
    }

    fn ask(
        conversation: &Conversation,
        feasible: (bool, bool),
        knowledge: &Knowledge,
    ) -> Initiator {
        let case = Case {
            conversation,
            local: local(),
            peer: Endpoint::Address(peer()),
            ingress_feasible: feasible.0,
            egress_feasible: feasible.1,
            full_coverage: true,
        };
        initiator(&case, knowledge)
    }

    const BOTH: (bool, bool) = (true, true);

    #[test]
    fn a_syn_settles_it_whatever_the_rules_say() {
        let mut conversation = silent(IpProtocol::TCP, 443, &[51_515]);
        conversation.inward.accepted.as_mut().unwrap().requests = 1;
        let answer = ask(&conversation, (false, true), &Knowledge::default());
        assert_eq!(
            answer,
            Initiator::Settled(Direction::Ingress, Certainty::Certain)
        );
    }

    #[test]
    fn one_feasible_direction_settles_it() {
        let conversation = silent(IpProtocol::TCP, 443, &[51_515]);
        let nothing = Knowledge::default();
        let settled = |feasible| ask(&conversation, feasible, &nothing);
        assert_eq!(
            settled((false, true)),
            Initiator::Settled(Direction::Egress, Certainty::Only)
        );
        assert_eq!(
            settled((true, false)),
            Initiator::Settled(Direction::Ingress, Certainty::Only)
        );
        assert_eq!(settled((false, false)), Initiator::Unexplained);
    }

    #[test]
    fn another_window_of_the_same_pair_settles_it_against_todays_rules() {
        let conversation = silent(IpProtocol::TCP, 22, &[51_515]);
        let mut opened = conversation.clone();
        opened.inward.accepted.as_mut().unwrap().requests = 1;
        let knowledge = told([(Endpoint::Address(peer()), opened)]);
        let answer = ask(&conversation, (false, true), &knowledge);
        assert_eq!(
            answer,
            Initiator::Settled(Direction::Ingress, Certainty::Certain)
        );
    }

    #[test]
    fn a_known_service_of_one_end_settles_it() {
        let conversation = silent(IpProtocol::TCP, 8_443, &[40_000]);
        let mut other = silent(IpProtocol::TCP, 8_443, &[41_000]);
        other.outward.accepted.as_mut().unwrap().answers = 1;
        let elsewhere = Endpoint::Address("203.0.113.99".parse().unwrap());
        let knowledge = told([(elsewhere, other)]);
        let answer = ask(&conversation, BOTH, &knowledge);
        assert_eq!(
            answer,
            Initiator::Settled(Direction::Ingress, Certainty::High)
        );
    }

    #[test]
    fn a_service_above_the_clients_port_is_known_by_its_own_syn() {
        // Keyed by the client's 40000, since no flag is in this window.
        let mut conversation = silent(IpProtocol::TCP, 40_000, &[50_051]);
        conversation.key.server = Server::Peer;
        let mut opened = silent(IpProtocol::TCP, 50_051, &[40_000]);
        opened.inward.accepted.as_mut().unwrap().requests = 1;
        let knowledge = told([(Endpoint::Address(peer()), opened)]);
        let answer = ask(&conversation, BOTH, &knowledge);
        assert_eq!(
            answer,
            Initiator::Settled(Direction::Ingress, Certainty::Certain)
        );
    }

    #[test]
    fn one_way_traffic_used_the_rules_of_its_way() {
        let mut conversation = silent(IpProtocol::UDP, 514, &[40_000]);
        conversation.outward.accepted = None;
        let answer = ask(&conversation, BOTH, &Knowledge::default());
        assert_eq!(
            answer,
            Initiator::Settled(Direction::Ingress, Certainty::Only)
        );
    }

    #[test]
    fn many_partners_make_a_server_and_few_a_guess() {
        let conversation = silent(IpProtocol::TCP, 8_443, &[40_000]);
        let few = ask(&conversation, BOTH, &told((0..6).map(client)));
        assert_eq!(
            few,
            Initiator::Ambiguous(Some((Direction::Ingress, Certainty::Medium)))
        );
        let many = ask(&conversation, BOTH, &told((0..24).map(client)));
        assert_eq!(
            many,
            Initiator::Settled(Direction::Ingress, Certainty::High)
        );
    }

    #[test]
    fn ports_alone_are_no_more_than_a_guess() {
        let nothing = Knowledge::default();
        let guess = |port, client| ask(&silent(IpProtocol::TCP, port, &[client]), BOTH, &nothing);
        let ingress = |certainty| Initiator::Ambiguous(Some((Direction::Ingress, certainty)));
        assert_eq!(guess(443, 51_515), ingress(Certainty::Medium));
        assert_eq!(guess(8_443, 51_515), ingress(Certainty::Low));
        assert_eq!(guess(39_222, 40_111), Initiator::Ambiguous(None));
        let ntp = ask(&silent(IpProtocol::UDP, 123, &[123]), BOTH, &nothing);
        assert_eq!(ntp, Initiator::Ambiguous(None));
    }

    #[test]
    fn a_ping_both_ways_stays_open() {
        let conversation = silent(IpProtocol::ICMP, 0, &[0]);
        assert_eq!(
            ask(&conversation, BOTH, &Knowledge::default()),
            Initiator::Ambiguous(None)
        );
    }

    #[test]
    fn where_many_were_not_told_apart_a_sure_guess_is_only_likely() {
        let conversation = silent(IpProtocol::TCP, 8_443, &[40_000]);
        let mut served = silent(IpProtocol::TCP, 8_443, &[41_000]);
        served.outward.accepted.as_mut().unwrap().answers = 1;
        let service = [(Endpoint::Address([203, 0, 113, 99].into()), served)];
        let partners = || (0..24).map(client);
        let answers = |all: [Knowledge; 2]| all.map(|all| ask(&conversation, BOTH, &all));
        let sure = Initiator::Settled(Direction::Ingress, Certainty::High);
        let likely = Initiator::Ambiguous(Some((Direction::Ingress, Certainty::Medium)));
        let apart = [told(service.clone()), told(partners())];
        assert_eq!(answers(apart), [sure, sure]);
        let blurred = [told_beside_many(service), told_beside_many(partners())];
        assert_eq!(answers(blurred), [likely, likely]);
    }

    #[test]
    fn what_is_settled_stays_so_where_many_were_not_told_apart() {
        let conversation = silent(IpProtocol::TCP, 22, &[51_515]);
        let mut opened = conversation.clone();
        opened.inward.accepted.as_mut().unwrap().requests = 1;
        let mut one_way = conversation.clone();
        one_way.outward.accepted = None;
        let many = told_beside_many([]);
        let pair = told_beside_many([(Endpoint::Address(peer()), opened.clone())]);
        let ingress = |certainty| Initiator::Settled(Direction::Ingress, certainty);
        let (certain, only) = (ingress(Certainty::Certain), ingress(Certainty::Only));
        assert_eq!(ask(&opened, BOTH, &many), certain, "by flags");
        assert_eq!(ask(&conversation, BOTH, &pair), certain, "by the pair");
        assert_eq!(ask(&one_way, BOTH, &many), only, "by the way");
        let by_rules = ask(&conversation, (true, false), &many);
        assert_eq!(by_rules, only, "by the rules");
    }
}
