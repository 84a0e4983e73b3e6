//! The one table of the columns a flow log may have: 54 of AWS's VPC flow logs
//! (versions 2 to 11, without 6), 18 of transit-gateway flow logs (version 6),
//! and those that only Alibaba Cloud's have (version 1), whose other columns
//! are named as AWS names them. Header parser, line parser and messages are all
//! made from it.
//!
//! Source: VPC user guide, "Flow log records"; Transit Gateway guide, "Transit
//! Gateway Flow Log records"; Alibaba Cloud, Simple Log Service, "VPC flow log
//! fields". A column that is not here is skipped, never
//! fatal: newer versions add columns at any time.

/// The place in a record that a column fills. Columns without one are counted
/// and skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// Interface that recorded the line.
    InterfaceId,
    /// Source as the interface showed it.
    Srcaddr,
    /// Destination as the interface showed it.
    Dstaddr,
    /// Source port.
    Srcport,
    /// Destination port.
    Dstport,
    /// IANA protocol number.
    Protocol,
    /// Packets in the interval.
    Packets,
    /// Bytes in the interval.
    Bytes,
    /// First second.
    Start,
    /// Last second.
    End,
    /// ACCEPT or REJECT.
    Action,
    /// OK, NODATA or SKIPDATA.
    LogStatus,
    /// Flags OR-ed over the interval.
    TcpFlags,
    /// IPv4, IPv6 or EFA.
    Type,
    /// Source address of the packet itself.
    PktSrcaddr,
    /// Destination address of the packet itself.
    PktDstaddr,
    /// ingress or egress; Alibaba Cloud's words are in and out.
    FlowDirection,
    /// `BPA`, or any other text.
    RejectReason,
}

impl Slot {
    /// Name of the column that fills this slot, as AWS has it in text logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        Field::ALL
            .iter()
            .find(|field| field.slot() == Some(self))
            .map_or("", |field| field.name())
    }

    /// Whether a line that can have no verdict is still asked for it: it says
    /// which interval of which interface was observed or lost.
    pub(super) fn tells_of_interval(self) -> bool {
        matches!(
            self,
            Slot::InterfaceId | Slot::Start | Slot::End | Slot::LogStatus
        )
    }
}

macro_rules! fields {
    ($($variant:ident $name:literal $version:literal $slot:expr;)*) => {
        /// A column that a cloud documents.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Field {
            $(
                #[doc = concat!("`", $name, "`, since version ", stringify!($version), ".")]
                $variant,
            )*
        }

        impl Field {
            /// Every column, in the order of the clouds' tables.
            pub const ALL: &[Field] = &[$(Field::$variant,)*];

            /// The names, in that order.
            const NAMES: &[&str] = &[$($name,)*];

            /// Name in text logs, hyphens included.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Field::$variant => $name,)* }
            }

            /// Version of the record format that brought the column; 1 is that of
            /// Alibaba Cloud.
            #[must_use]
            pub fn version(self) -> u8 {
                match self { $(Field::$variant => $version,)* }
            }

            /// The place in a record that the column fills, if any.
            #[must_use]
            pub fn slot(self) -> Option<Slot> {
                match self { $(Field::$variant => $slot,)* }
            }
        }
    };
}

fields! {
    Version "version" 2 None;
    AccountId "account-id" 2 None;
    InterfaceId "interface-id" 2 Some(Slot::InterfaceId);
    Srcaddr "srcaddr" 2 Some(Slot::Srcaddr);
    Dstaddr "dstaddr" 2 Some(Slot::Dstaddr);
    Srcport "srcport" 2 Some(Slot::Srcport);
    Dstport "dstport" 2 Some(Slot::Dstport);
    Protocol "protocol" 2 Some(Slot::Protocol);
    Packets "packets" 2 Some(Slot::Packets);
    Bytes "bytes" 2 Some(Slot::Bytes);
    Start "start" 2 Some(Slot::Start);
    End "end" 2 Some(Slot::End);
    Action "action" 2 Some(Slot::Action);
    LogStatus "log-status" 2 Some(Slot::LogStatus);
    VpcId "vpc-id" 3 None;
    SubnetId "subnet-id" 3 None;
    InstanceId "instance-id" 3 None;
    TcpFlags "tcp-flags" 3 Some(Slot::TcpFlags);
    Type "type" 3 Some(Slot::Type);
    PktSrcaddr "pkt-srcaddr" 3 Some(Slot::PktSrcaddr);
    PktDstaddr "pkt-dstaddr" 3 Some(Slot::PktDstaddr);
    Region "region" 4 None;
    AzId "az-id" 4 None;
    SublocationType "sublocation-type" 4 None;
    SublocationId "sublocation-id" 4 None;
    PktSrcAwsService "pkt-src-aws-service" 5 None;
    PktDstAwsService "pkt-dst-aws-service" 5 None;
    FlowDirection "flow-direction" 5 Some(Slot::FlowDirection);
    TrafficPath "traffic-path" 5 None;
    EcsClusterArn "ecs-cluster-arn" 7 None;
    EcsClusterName "ecs-cluster-name" 7 None;
    EcsContainerInstanceArn "ecs-container-instance-arn" 7 None;
    EcsContainerInstanceId "ecs-container-instance-id" 7 None;
    EcsContainerId "ecs-container-id" 7 None;
    EcsSecondContainerId "ecs-second-container-id" 7 None;
    EcsServiceName "ecs-service-name" 7 None;
    EcsTaskDefinitionArn "ecs-task-definition-arn" 7 None;
    EcsTaskArn "ecs-task-arn" 7 None;
    EcsTaskId "ecs-task-id" 7 None;
    RejectReason "reject-reason" 8 Some(Slot::RejectReason);
    ResourceId "resource-id" 9 None;
    EncryptionStatus "encryption-status" 10 None;
    InstanceTag "instance-tag" 11 None;
    InstanceTag2 "instance-tag-2" 11 None;
    InterfaceTag "interface-tag" 11 None;
    InterfaceTag2 "interface-tag-2" 11 None;
    AsgTag "asg-tag" 11 None;
    AsgTag2 "asg-tag-2" 11 None;
    InterfaceType "interface-type" 11 None;
    NextHopInterfaceId "next-hop-interface-id" 11 None;
    NextHopSubnetId "next-hop-subnet-id" 11 None;
    NextHopAzId "next-hop-az-id" 11 None;
    NextHopVpcId "next-hop-vpc-id" 11 None;
    NextHopInterfaceType "next-hop-interface-type" 11 None;
    ResourceType "resource-type" 6 None;
    TgwId "tgw-id" 6 None;
    TgwAttachmentId "tgw-attachment-id" 6 None;
    TgwSrcVpcAccountId "tgw-src-vpc-account-id" 6 None;
    TgwDstVpcAccountId "tgw-dst-vpc-account-id" 6 None;
    TgwSrcVpcId "tgw-src-vpc-id" 6 None;
    TgwDstVpcId "tgw-dst-vpc-id" 6 None;
    TgwSrcSubnetId "tgw-src-subnet-id" 6 None;
    TgwDstSubnetId "tgw-dst-subnet-id" 6 None;
    TgwSrcEni "tgw-src-eni" 6 None;
    TgwDstEni "tgw-dst-eni" 6 None;
    TgwSrcAzId "tgw-src-az-id" 6 None;
    TgwDstAzId "tgw-dst-az-id" 6 None;
    TgwPairAttachmentId "tgw-pair-attachment-id" 6 None;
    PacketsLostNoRoute "packets-lost-no-route" 6 None;
    PacketsLostBlackhole "packets-lost-blackhole" 6 None;
    PacketsLostMtuExceeded "packets-lost-mtu-exceeded" 6 None;
    PacketsLostTtlExpired "packets-lost-ttl-expired" 6 None;
    EniId "eni-id" 1 Some(Slot::InterfaceId);
    VmId "vm-id" 1 None;
    VswitchId "vswitch-id" 1 None;
    Direction "direction" 1 Some(Slot::FlowDirection);
    Srctype "srctype" 1 None;
    Dsttype "dsttype" 1 None;
}

impl Field {
    /// The column of that name, spelled as in text logs (`log-status`) or as in
    /// Parquet ones (`log_status`).
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Field> {
        let mut known = Field::ALL.iter().zip(Field::NAMES);
        let found = known.find(|(_, known)| same_name(known.as_bytes(), name));
        found.map(|(field, _)| *field)
    }

    /// Whether only Alibaba Cloud's records have the column.
    #[must_use]
    pub fn is_alibaba(self) -> bool {
        self.version() == 1
    }

    /// Whether only transit-gateway records have the column: such records say
    /// nothing of security groups.
    #[must_use]
    pub fn is_transit_gateway(self) -> bool {
        self.version() == 6
    }
}

fn same_name(documented: &[u8], name: &[u8]) -> bool {
    let hyphenated = |byte: &u8| if *byte == b'_' { b'-' } else { *byte };
    documented.len() == name.len() && documented.iter().copied().eq(name.iter().map(hyphenated))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_found_by_both_spellings() {
        for &field in Field::ALL {
            let parquet = field.name().replace('-', "_");
            assert_eq!(Field::from_name(field.name().as_bytes()), Some(field));
            assert_eq!(Field::from_name(parquet.as_bytes()), Some(field));
        }
        assert_eq!(Field::from_name(b"quantum-state"), None);
    }

    #[test]
    fn the_table_has_every_documented_column() {
        let transit = |field: &&Field| field.is_transit_gateway();
        assert_eq!(Field::ALL.iter().filter(transit).count(), 18);
        assert_eq!(Field::ALL.iter().filter(|f| f.is_alibaba()).count(), 6);
        assert_eq!(Field::ALL.len(), 54 + 18 + 6);
    }

    #[test]
    fn each_slot_is_filled_by_one_column_of_a_cloud() {
        let filled = |slot, alibaba| {
            let of_cloud = Field::ALL.iter().filter(|f| f.is_alibaba() == alibaba);
            of_cloud.filter(|f| f.slot() == Some(slot)).count()
        };
        for slot in Field::ALL.iter().filter_map(|field| field.slot()) {
            assert_eq!(filled(slot, false), 1, "{slot:?}");
            assert!(filled(slot, true) <= 1, "{slot:?}");
        }
        assert_eq!(Slot::LogStatus.name(), "log-status");
    }
}
