//! Packets put to the rules that would stand after the proposals, in words
//! such as `sg-web ingress tcp/443 from 203.0.113.8` or
//! `sg-web egress icmp to sg-db`. Without a port, all of the protocol is
//! meant. A peer is an address, or a group that a rule refers to.

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
    port: Option<i64>,
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
        let (protocol, port) = service
            .split_once('/')
            .map_or((service, None), |(name, port)| {
                (name, Some(port.parse().unwrap()))
            });
        Packet {
            group,
            direction,
            protocol,
            port,
            peer,
        }
    }

    fn fits(&self, rule: &Value) -> bool {
        let protocol = rule["protocol"].as_str().unwrap();
        if protocol != "all" && protocol != self.protocol {
            return false;
        }
        let (from, to) = (rule["from_port"].as_i64(), rule["to_port"].as_i64());
        let all = from.is_none_or(|from| from == -1);
        let port = match (self.port, from.zip(to)) {
            _ if all => true,
            (Some(port), Some((from, to))) => (from..=to).contains(&port),
            _ => (from, to) == (Some(0), Some(65_535)),
        };
        port && self.is_peer(&rule["peer"])
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
