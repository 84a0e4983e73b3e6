//! Pages about REJECTs.

use crate::report::explain::Manual;

pub(super) const BY_GROUP: Manual = Manual {
    says: "No rule of the interface's security groups admits this traffic; the network ACL would have let it through. The rule that comes nearest is named with what it misses: protocol, port or peer.",
    matters: "A REJECT record names neither group nor ACL. Knowing which of them stopped the packet saves trying both.",
    misleads: "Only the rules of the snapshot are known. If they changed since, the named cause is that of the snapshot's rules. That a rule is missing does not mean it should exist.",
    example: "RJ201 eni-0a1b2c3d4e5f60718 ingress tcp/5432 from 10.0.2.20: nearest sgr-0fedcba9876543210, tcp/5432 from 10.0.1.0/24, misses the peer.",
};

pub(super) const BY_ACL: Manual = Manual {
    says: "A rule of the security groups admits this traffic, and an entry of the subnet's network ACL denies it.",
    matters: "Adding security group rules will not help. The ACL entry must change, and ACLs are stateless: answers need their own entry.",
    misleads: "ACLs are asked only where a packet enters or leaves a subnet, so traffic within a subnet is never stopped by one. An old snapshot may name an entry that is gone.",
    example: "RJ202 eni-0a1b2c3d4e5f60718 ingress tcp/22 from 203.0.113.9: stopped by the network ACL.",
};

pub(super) const REPLY: Manual = Manual {
    says: "The request was let through and its answer was stopped. Security groups remember connections and never stop answers, so the network ACL did.",
    matters: "The connection fails although every rule for the service looks right. The usual cause is an ACL without the client's ephemeral ports, such as 1024-65535.",
    misleads: "Packets that arrive after a connection was closed are rejected too and look alike; few packets with RST or FIN shortly after the end are such late ones.",
    example: "RJ203 eni-0a1b2c3d4e5f60718 egress reply to icmp to 203.0.113.12: the outbound ACL of the subnet denies icmp.",
};

pub(super) const BY_BOTH: Manual = Manual {
    says: "Neither the security groups nor the network ACL would let this traffic through.",
    matters: "Fixing one of the two is not enough; the second will stop the packet as before.",
    misleads: "If the traffic is not wanted, nothing is wrong: both layers do their work.",
    example: "RJ204 eni-0a1b2c3d4e5f60718 ingress tcp/22 from 203.0.113.9: no group rule for port 22, and the ACL denies it.",
};

pub(super) const BLOCK_PUBLIC_ACCESS: Manual = Manual {
    says: "VPC Block Public Access stopped the packet; the log's reject reason says so.",
    matters: "No group or ACL change will let it through. It takes an exclusion for the subnet or VPC, or another path.",
    misleads: "Only logs with the reject-reason field (version 8) can say it. In older formats the same packet looks unexplained.",
    example: "RJ205 eni-0a1b2c3d4e5f60718 ingress tcp/443 from 198.51.100.7: stopped by VPC Block Public Access.",
};

pub(super) const UNEXPLAINED: Manual = Manual {
    says: "The rules of the snapshot would have let this traffic through, or the snapshot lacks what is needed to tell.",
    matters: "It points at what the snapshot does not show: rules changed since, packets after the end of a connection, a full tracking table, or a middlebox that breaks group references.",
    misleads: "Late packets of closed connections make most of these and mean no harm. Without NetworkAcls in the snapshot every ACL denial ends up here.",
    example: "RJ206 eni-0a1b2c3d4e5f60718 ingress tcp/443 from 10.0.2.20: sgr-0fedcba9876543210 admits it today. Next: compare the times with the change log of the group.",
};

pub(super) const NOISE: Manual = Manual {
    says: "Scans and strays: many ports or many strangers, nothing that ever talked to the interface.",
    matters: "It needs no action. It is counted so that it cannot hide the REJECTs that do.",
    misleads: "A misconfigured client on the Internet that tries once an hour looks like a scanner. The analysis.json lists every folded REJECT.",
    example: "RJ207 noise: 5,321 folded, 61,204 records; most at tcp/23, tcp/22, tcp/445.",
};
