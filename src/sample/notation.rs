//! Reads the notation of the blueprint. A line that makes no sense gives no
//! rule; the tests of [`super::build`] see to it that there is none.

use std::rc::Rc;

use ipnet::IpNet;

use crate::model::Direction;
use crate::sample::random::hash;
use crate::sample::random::hash_text;
use crate::sample::world::Entry;
use crate::sample::world::List;
use crate::sample::world::Peer;
use crate::sample::world::Rule;
use crate::sample::world::Scope;

/// Where a rule stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) seed: u64,
    /// What ids of rules begin with.
    pub(super) ids: &'static str,
    /// Priority of rules that name none.
    pub(super) priority: u16,
    pub(super) group_key: u64,
    pub(super) group_id: &'a str,
    pub(super) first_number: usize,
    pub(super) lists: &'a [Rc<List>],
    pub(super) change_at: Option<u32>,
    pub(super) ipv6: bool,
}

/// The rules of a group.
pub(super) fn rules(lines: impl Iterator<Item = String>, context: &Context<'_>) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (place, line) in (0u64..).zip(lines) {
        let number = context.first_number + rules.len();
        rules.extend(rule(&line, place, number, context));
    }
    rules
}

fn rule(line: &str, place: u64, number: usize, context: &Context<'_>) -> Option<Rule> {
    let (line, description) = line.split_once(" # ").unwrap_or((line, ""));
    let mut words = line.split_ascii_whitespace();
    let direction = direction(words.next()?)?;
    let drop = words.clone().next() == Some("drop");
    if drop {
        words.next();
    }
    let scope = scope(&mut words)?;
    let peer = peer(words.next()?, context)?;
    let v6 = matches!(&peer, Peer::Net(IpNet::V6(_)));
    let mut rule = Rule {
        number,
        id: format!(
            "sgr-{}{:016x}",
            context.ids,
            hash(context.seed, context.group_key, place)
        ),
        group_id: context.group_id.to_owned(),
        direction,
        scope,
        peer,
        description: description.to_owned(),
        drop,
        priority: context.priority,
        no_effect: false,
        shadowed: false,
        from: 0,
        until: u32::MAX,
    };
    while let Some(word) = words.next() {
        match word {
            "prio" => rule.priority = words.next()?.parse().ok()?,
            "no-effect" => rule.no_effect = true,
            "shadowed" => rule.shadowed = true,
            "added" => rule.from = context.change_at?,
            "removed" => rule.until = context.change_at.unwrap_or(u32::MAX),
            _ => return None,
        }
    }
    (context.ipv6 || !v6).then_some(rule)
}

/// The entries of an ACL, in order.
pub(super) fn entries(lines: &[&str]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = lines.iter().filter_map(|line| entry(line)).collect();
    entries.sort_by_key(|entry| (entry.direction, entry.number));
    entries
}

fn entry(line: &str) -> Option<Entry> {
    let mut words = line.split_ascii_whitespace();
    Some(Entry {
        direction: direction(words.next()?)?,
        number: words.next()?.parse().ok()?,
        allow: match words.next()? {
            "allow" => true,
            "deny" => false,
            _ => return None,
        },
        scope: {
            // Entries give ICMP no type: all of it.
            let mut rest = words.clone();
            match rest.next()? {
                "icmp" => {
                    words.next();
                    Scope::Icmp(None, None)
                }
                _ => scope(&mut words)?,
            }
        },
        net: words.next()?.parse().ok()?,
    })
}

fn direction(word: &str) -> Option<Direction> {
    match word {
        "in" => Some(Direction::Ingress),
        "out" => Some(Direction::Egress),
        _ => None,
    }
}

fn scope<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Scope> {
    match words.next()? {
        "all" => Some(Scope::All),
        "tcp" => ports(words.next()?).map(|(from, to)| Scope::Tcp(from, to)),
        "udp" => ports(words.next()?).map(|(from, to)| Scope::Udp(from, to)),
        "icmp" => icmp(words.next()?),
        _ => None,
    }
}

fn ports(word: &str) -> Option<(u16, u16)> {
    let (from, to) = word.split_once('-').unwrap_or((word, word));
    Some((from.parse().ok()?, to.parse().ok()?))
}

fn icmp(word: &str) -> Option<Scope> {
    if word == "-1" {
        return Some(Scope::Icmp(None, None));
    }
    match word.split_once('/') {
        Some((kind, code)) => Some(Scope::Icmp(kind.parse().ok(), code.parse().ok())),
        None => Some(Scope::Icmp(Some(word.parse().ok()?), None)),
    }
}

fn peer(word: &str, context: &Context<'_>) -> Option<Peer> {
    if let Some(name) = word.strip_prefix('@') {
        return Some(Peer::Group(hash_text(context.seed, name)));
    }
    if let Some(name) = word.strip_prefix('%') {
        let list = context.lists.iter().find(|list| list.name == name)?;
        return Some(Peer::List(Rc::clone(list)));
    }
    word.parse().ok().map(Peer::Net)
}
