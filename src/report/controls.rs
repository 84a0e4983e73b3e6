//! Which controls of which standard a finding touches: the one table.
//!
//! The editions are part of the names, since numbers move between editions. A
//! finding that touches a control is a reason to look, not a failed audit.

use std::fmt;

use crate::model::Direction;
use crate::model::Provider;
use crate::report::code::Code;

/// A standard in one edition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standard {
    /// CIS Amazon Web Services Foundations Benchmark.
    Cis,
    /// Controls of AWS Security Hub; they carry no edition.
    SecurityHub,
    /// Managed rules of Alibaba Cloud Config; they carry no edition.
    CloudConfig,
    /// Payment Card Industry Data Security Standard.
    PciDss,
    /// NIST Special Publication 800-53.
    Nist,
    /// ISO/IEC 27001, Annex A.
    Iso,
}

impl Standard {
    /// Its name with its edition.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Standard::Cis => "CIS AWS Foundations Benchmark v3.0.0",
            Standard::SecurityHub => "AWS Security Hub controls",
            Standard::CloudConfig => "Alibaba Cloud Config rules",
            Standard::PciDss => "PCI DSS v4.0.1",
            Standard::Nist => "NIST SP 800-53 Rev. 5",
            Standard::Iso => "ISO/IEC 27001:2022 Annex A",
        }
    }

    /// Whether it speaks of this cloud.
    #[must_use]
    pub const fn is_for(self, provider: Provider) -> bool {
        match self {
            Standard::Cis | Standard::SecurityHub => matches!(provider, Provider::Aws),
            Standard::CloudConfig => matches!(provider, Provider::Alibaba),
            Standard::PciDss | Standard::Nist | Standard::Iso => true,
        }
    }

    /// A short name for tags and columns.
    #[must_use]
    pub const fn short(self) -> &'static str {
        match self {
            Standard::Cis => "CIS-AWS-3.0.0",
            Standard::SecurityHub => "SecurityHub",
            Standard::CloudConfig => "CloudConfig",
            Standard::PciDss => "PCI-DSS-4.0.1",
            Standard::Nist => "NIST-800-53-r5",
            Standard::Iso => "ISO-27001-2022",
        }
    }
}

/// When a control is about a finding of its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Always.
    Always,
    /// Of ingress, or of no direction alone.
    Ingress,
    /// Of egress, or of no direction alone.
    Egress,
    /// A port of remote administration, open to all of IPv4.
    AdminV4,
    /// The same, open to all of IPv6.
    AdminV6,
    /// This port of TCP.
    Tcp(u16),
    /// One of the ports of TCP that Security Hub calls of high risk.
    HighRisk,
}

/// What is known of what a finding is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Openness {
    /// Which way; `None` of a group as a whole.
    pub direction: Option<Direction>,
    /// First and last port that the world may come in by.
    pub ports: Option<(u16, u16)>,
    /// Whether TCP is among what may come in.
    pub tcp: bool,
    /// Whether the peer is of IPv6.
    pub ipv6: bool,
}

impl Openness {
    /// Nothing is open to the world this way.
    #[must_use]
    pub fn closed(direction: Direction) -> Openness {
        Openness {
            direction: Some(direction),
            ..Openness::default()
        }
    }

    /// Whether the port is among those open.
    #[must_use]
    pub fn has(self, port: u16) -> bool {
        self.ports
            .is_some_and(|(from, to)| (from..=to).contains(&port))
    }

    fn has_tcp(self, port: u16) -> bool {
        self.tcp && self.has(port)
    }

    fn has_admin(self) -> bool {
        ADMIN_PORTS.iter().any(|port| self.has(*port))
    }

    fn is(self, direction: Direction) -> bool {
        self.direction.is_none_or(|own| own == direction)
    }
}

/// Ports of remote administration, as CIS means them: of TCP and of UDP.
pub const ADMIN_PORTS: [u16; 2] = [22, 3389];

/// Ports of high risk.
/// Source: AWS Security Hub, EC2.19.
const HIGH_RISK: [u16; 24] = [
    20, 21, 22, 23, 25, 110, 135, 143, 445, 1433, 1434, 3000, 3306, 3389, 4333, 5000, 5432, 5500,
    5601, 8080, 8088, 8888, 9200, 9300,
];

/// A control of a standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control {
    /// The standard.
    pub standard: Standard,
    /// Its number there.
    pub id: &'static str,
    /// What it asks, in few words.
    pub title: &'static str,
    /// When it is meant.
    pub when: When,
}

impl Control {
    /// Whether it is about a finding that is so open.
    #[must_use]
    pub fn is_about(&self, open: Openness) -> bool {
        match self.when {
            When::Always => true,
            When::Ingress => open.is(Direction::Ingress),
            When::Egress => open.is(Direction::Egress),
            When::AdminV4 => !open.ipv6 && open.has_admin(),
            When::AdminV6 => open.ipv6 && open.has_admin(),
            When::Tcp(port) => open.has_tcp(port),
            When::HighRisk => HIGH_RISK.iter().any(|port| open.has_tcp(*port)),
        }
    }

    /// `CIS-AWS-3.0.0:5.2`.
    #[must_use]
    pub fn tag(&self) -> String {
        format!("{}:{}", self.standard.short(), self.id)
    }
}

impl fmt::Display for Control {
    /// `CIS AWS Foundations Benchmark v3.0.0, 5.2: ...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}: {}", self.standard.name(), self.id, self.title)
    }
}

/// One control a line: standard, number, when, title.
macro_rules! controls {
    ($($name:ident = [$($standard:ident $id:literal $when:expr, $title:literal;)*];)*) => {
        $(const $name: &[Control] = &[$(Control {
            standard: Standard::$standard,
            id: $id,
            title: $title,
            when: $when,
        },)*];)*
    };
}

controls! {
    WORLD_OPEN = [
        Cis "5.2" When::AdminV4, "no security group allows ingress from 0.0.0.0/0 to remote server administration ports";
        Cis "5.3" When::AdminV6, "no security group allows ingress from ::/0 to remote server administration ports";
        SecurityHub "EC2.13" When::Tcp(22), "no ingress from 0.0.0.0/0 or ::/0 to port 22";
        SecurityHub "EC2.14" When::Tcp(3389), "no ingress from 0.0.0.0/0 or ::/0 to port 3389";
        SecurityHub "EC2.18" When::Always, "unrestricted incoming traffic for authorized ports only";
        SecurityHub "EC2.19" When::HighRisk, "no unrestricted access to ports with high risk";
        SecurityHub "EC2.53" When::AdminV4, "no ingress from 0.0.0.0/0 to remote server administration ports";
        SecurityHub "EC2.54" When::AdminV6, "no ingress from ::/0 to remote server administration ports";
        CloudConfig "ecs-security-group-not-internet-cidr-access" When::Ingress, "no ingress rule of a security group admits public addresses";
        PciDss "1.3.1" When::Always, "inbound traffic to the cardholder data environment is restricted to what is necessary";
        PciDss "1.4.2" When::Always, "inbound traffic from untrusted to trusted networks is restricted";
        Nist "AC-4" When::Always, "information flow enforcement";
        Nist "SC-7" When::Always, "boundary protection";
        Nist "CM-7" When::Always, "least functionality";
        Iso "A.8.20" When::Always, "networks security";
        Iso "A.8.21" When::Always, "security of network services";
    ];
    ALL_TRAFFIC = [
        PciDss "1.2.5" When::Always, "all services, protocols and ports allowed are identified, approved and needed";
        PciDss "1.3.1" When::Ingress, "inbound traffic to the cardholder data environment is restricted to what is necessary";
        PciDss "1.3.2" When::Egress, "outbound traffic from the cardholder data environment is restricted to what is necessary";
        Nist "AC-4" When::Always, "information flow enforcement";
        Nist "AC-6" When::Always, "least privilege";
        Nist "CM-7" When::Always, "least functionality";
        Nist "SC-7(5)" When::Always, "deny by default, allow by exception";
        Iso "A.8.20" When::Always, "networks security";
        Iso "A.8.22" When::Always, "segregation of networks";
    ];
    DEFAULT_GROUP = [
        Cis "5.4" When::Always, "the default security group of every VPC restricts all traffic";
        SecurityHub "EC2.2" When::Always, "VPC default security groups allow no inbound or outbound traffic";
        PciDss "1.3.1" When::Ingress, "inbound traffic to the cardholder data environment is restricted to what is necessary";
        PciDss "1.3.2" When::Egress, "outbound traffic from the cardholder data environment is restricted to what is necessary";
        Nist "SC-7(5)" When::Always, "deny by default, allow by exception";
        Iso "A.8.9" When::Always, "configuration management";
        Iso "A.8.22" When::Always, "segregation of networks";
    ];
    UNUSED_GROUP = [
        SecurityHub "EC2.22" When::Always, "unused security groups are removed";
        PciDss "1.2.7" When::Always, "configurations of network security controls are reviewed at least every six months";
        Nist "CM-7(1)" When::Always, "least functionality, periodic review";
        Iso "A.8.9" When::Always, "configuration management";
    ];
    EGRESS = [
        PciDss "1.3.2" When::Always, "outbound traffic from the cardholder data environment is restricted to what is necessary";
        Nist "AC-4" When::Always, "information flow enforcement";
        Nist "SC-7(5)" When::Always, "deny by default, allow by exception";
        Iso "A.8.20" When::Always, "networks security";
        Iso "A.8.22" When::Always, "segregation of networks";
    ];
    NOT_NEEDED = [
        PciDss "1.2.5" When::Always, "all services, protocols and ports allowed are identified, approved and needed";
        PciDss "1.2.7" When::Always, "configurations of network security controls are reviewed at least every six months";
        Nist "AC-6" When::Always, "least privilege";
        Nist "CM-7(1)" When::Always, "least functionality, periodic review";
        Iso "A.8.9" When::Always, "configuration management";
        Iso "A.8.20" When::Always, "networks security";
    ];
    TOO_WIDE = [
        PciDss "1.2.5" When::Always, "all services, protocols and ports allowed are identified, approved and needed";
        PciDss "1.3.1" When::Ingress, "inbound traffic to the cardholder data environment is restricted to what is necessary";
        PciDss "1.3.2" When::Egress, "outbound traffic from the cardholder data environment is restricted to what is necessary";
        Nist "AC-4" When::Always, "information flow enforcement";
        Nist "AC-6" When::Always, "least privilege";
        Nist "SC-7(5)" When::Always, "deny by default, allow by exception";
        Iso "A.8.20" When::Always, "networks security";
        Iso "A.8.22" When::Always, "segregation of networks";
    ];
    NOT_LOGGED = [
        Cis "3.7" When::Always, "VPC flow logging is enabled in all VPCs";
        SecurityHub "EC2.6" When::Always, "VPC flow logging is enabled in all VPCs";
        PciDss "10.2.1" When::Always, "audit logs are enabled and active for all system components";
        Nist "AU-12" When::Always, "audit record generation";
        Nist "SI-4" When::Always, "system monitoring";
        Iso "A.8.15" When::Always, "logging";
        Iso "A.8.16" When::Always, "monitoring activities";
    ];
}

/// The controls that findings of a code touch, by standard and number.
#[must_use]
pub fn of(code: Code) -> &'static [Control] {
    let row = TABLE.iter().find(|(one, _)| *one == code);
    row.map_or(&[], |(_, controls)| controls)
}

/// Codes that touch none are not listed.
const TABLE: &[(Code, &[Control])] = &[
    (Code::OpenToWorld, WORLD_OPEN),
    (Code::AllTraffic, ALL_TRAFFIC),
    (Code::DefaultGroup, DEFAULT_GROUP),
    (Code::UnusedGroup, UNUSED_GROUP),
    (Code::UnrestrictedEgress, EGRESS),
    (Code::UnusedRule, NOT_NEEDED),
    (Code::RedundantRule, NOT_NEEDED),
    (Code::NoEffectRule, NOT_NEEDED),
    (Code::ShadowedRule, NOT_NEEDED),
    (Code::WideRule, TOO_WIDE),
    (Code::UnloggedInterface, NOT_LOGGED),
    (Code::NoFlowLogs, NOT_LOGGED),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_control_is_named_once_a_code() {
        for code in Code::ALL {
            let tags: BTreeSet<String> = of(*code).iter().map(Control::tag).collect();
            assert_eq!(tags.len(), of(*code).len(), "{code}");
        }
    }

    fn tags(code: Code, open: Openness) -> Vec<String> {
        let about = of(code).iter().filter(|control| control.is_about(open));
        about.map(Control::tag).collect()
    }

    fn world(from: u16, to: u16) -> Openness {
        Openness {
            direction: Some(Direction::Ingress),
            ports: Some((from, to)),
            tcp: true,
            ipv6: false,
        }
    }

    #[test]
    fn ports_and_families_choose_the_control() {
        let ssh = tags(Code::OpenToWorld, world(22, 22));
        assert!(ssh.contains(&"CIS-AWS-3.0.0:5.2".to_owned()));
        assert!(ssh.contains(&"SecurityHub:EC2.13".to_owned()));
        assert!(ssh.contains(&"SecurityHub:EC2.19".to_owned()));
        assert!(!ssh.contains(&"SecurityHub:EC2.14".to_owned()));
        let ipv6 = true;
        let rdp6 = Openness {
            ipv6,
            ..world(3000, 4000)
        };
        let rdp6 = tags(Code::OpenToWorld, rdp6);
        assert!(rdp6.contains(&"CIS-AWS-3.0.0:5.3".to_owned()));
        assert!(!rdp6.contains(&"SecurityHub:EC2.53".to_owned()));
        // What Security Hub does not list as of high risk.
        let redis = tags(Code::OpenToWorld, world(6379, 6379));
        assert!(!redis.contains(&"SecurityHub:EC2.19".to_owned()));
        assert!(redis.contains(&"SecurityHub:EC2.18".to_owned()));
        // CIS counts UDP, the checks of single ports do not.
        let udp = Openness {
            tcp: false,
            ..world(0, u16::MAX)
        };
        let udp = tags(Code::OpenToWorld, udp);
        assert!(udp.contains(&"CIS-AWS-3.0.0:5.2".to_owned()));
        for one in ["EC2.13", "EC2.14", "EC2.19"] {
            assert!(!udp.contains(&format!("SecurityHub:{one}")));
        }
    }

    #[test]
    fn the_direction_chooses_between_inbound_and_outbound() {
        for code in [Code::AllTraffic, Code::WideRule, Code::DefaultGroup] {
            let into = tags(code, Openness::closed(Direction::Ingress));
            let out = tags(code, Openness::closed(Direction::Egress));
            let both = tags(code, Openness::default());
            let [inbound, outbound] = ["1.3.1", "1.3.2"].map(|id| format!("PCI-DSS-4.0.1:{id}"));
            assert!(
                into.contains(&inbound) && !into.contains(&outbound),
                "{code}"
            );
            assert!(out.contains(&outbound) && !out.contains(&inbound), "{code}");
            assert!(
                both.contains(&inbound) && both.contains(&outbound),
                "{code}"
            );
        }
    }
}
