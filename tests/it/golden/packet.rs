//! Packets put to the rules that would stand after the proposals, in words
//! such as `sg-web ingress tcp/443 from 203.0.113.8` or
//! `sg-web egress icmp to sg-db`; of ICMP `icmp/8` is a type and `icmp/3/4` one
//! with its code. What is left out is meant whole. A peer is an address, or a
//! group that a rule refers to.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use crate::golden::items;
use crate::golden::matcher::Faults;

/// Packets whose passing is not as `passes` says.
pub(super) fn check(packets: &[&str], passes: bool, analysis: &Value) -> Faults {
    let wrong = packets.iter().filter(|text| {
        let packet = Packet::read(text);
        standing(&packet, analysis)
            .iter()
            .any(|rule| packet.fits(rule))
            != passes
    });
    let verb = if passes {
        "no longer passes"
    } else {
        "still passes"
    };
    wrong.map(|text| format!("`{text}` {verb}")).collect()
}

struct Packet<'a> {
    group: &'a str,
    direction: &'a str,
    protocol: &'a str,
    /// Port, or ICMP type.
    port: Option<i64>,
    /// ICMP code.
    code: Option<i64>,
    peer: &'a str,
}

impl<'a> Packet<'a> {
    fn read(text: &'a str) -> Packet<'a> {
        let words: Vec<&str> = text.split(' ').collect();
        let [group, direction, service, side, peer] = words[..] else {
            panic!("no packet: `{text}`");
        };
        let fits = matches!((direction, side), ("ingress", "from") | ("egress", "to"));
        assert!(fits, "no direction: `{text}`");
        let mut service = service.split('/');
        let protocol = service.next().unwrap();
        let mut numbers = service.map(|number| number.parse().unwrap());
        Packet {
            group,
            direction,
            protocol,
            port: numbers.next(),
            code: numbers.next(),
            peer,
        }
    }

    fn fits(&self, rule: &Value) -> bool {
        let protocol = rule["protocol"].as_str().unwrap();
        if protocol != "all" && protocol != self.protocol {
            return false;
        }
        self.is_service(rule) && self.is_peer(&rule["peer"])
    }

    fn is_service(&self, rule: &Value) -> bool {
        let Some((from, to)) = rule["from_port"].as_i64().zip(rule["to_port"].as_i64()) else {
            return true;
        };
        if self.protocol.starts_with("icmp") {
            // Type and code, each -1 for any; not a range.
            let is = |own: i64, asked: Option<i64>| own == -1 || Some(own) == asked;
            return is(from, self.port) && (from == -1 || is(to, self.code));
        }
        match self.port {
            Some(port) => (from..=to).contains(&port),
            None => (from, to) == (0, 65_535),
        }
    }

    fn is_peer(&self, peer: &Value) -> bool {
        let group = peer["group"].as_str() == Some(self.peer);
        let address: Option<IpAddr> = self.peer.parse().ok();
        let net: Option<IpNet> = peer["cidr"].as_str().map(|net| net.parse().unwrap());
        group
            || net
                .zip(address)
                .is_some_and(|(net, address)| net.contains(&address))
    }
}

/// The rules of the packet's group and direction after the proposals.
fn standing<'a>(packet: &Packet<'_>, analysis: &'a Value) -> Vec<&'a Value> {
    let group = items(&analysis["security_groups"])
        .find(|group| group["group_id"] == packet.group)
        .unwrap_or_else(|| panic!("no group `{}`", packet.group));
    let today = items(&group["rules"]).filter(|rule| rule["direction"] == packet.direction);
    let proposal = items(&analysis["proposals"]).find(|proposal| {
        proposal["group_id"] == packet.group && proposal["direction"] == packet.direction
    });
    let Some(proposal) = proposal else {
        return today.collect();
    };
    let kept: Vec<&Value> = items(&proposal["keep"]).collect();
    let kept = today.filter(|rule| kept.contains(&&rule["rule_id"]));
    kept.chain(items(&proposal["rules"])).collect()
}
