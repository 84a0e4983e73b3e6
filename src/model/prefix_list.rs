//! Prefix lists: named sets of addresses, the customer's own or AWS's.

use ipnet::IpNet;

use crate::model::id::PrefixListId;

/// A prefix list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixList {
    /// Its id.
    pub id: PrefixListId,
    /// Its name, `com.amazonaws.REGION.SERVICE` for AWS's own.
    pub name: String,
    /// Whether AWS keeps it (its entries change by themselves).
    pub aws_managed: bool,
    /// What a customer's list counts in a group's quota.
    pub max_entries: Option<u32>,
    /// Its prefixes; `None` where the snapshot names the list but not them.
    pub entries: Option<Vec<IpNet>>,
}

/// Weight of AWS's own lists in a group's quota, by the last part of the name
/// (VPC user guide, "AWS-managed prefix lists"); the API does not tell it.
const AWS_WEIGHTS: [(&str, u32); 9] = [
    ("cloudfront.origin-facing", 55),
    ("dynamodb", 1),
    ("s3", 1),
    ("s3express", 6),
    ("ec2-instance-connect", 2),
    ("route53-healthchecks", 25),
    ("vpc-lattice", 10),
    ("groundstation", 5),
    ("global.groundstation", 5),
];

impl PrefixList {
    /// How many rules the list counts as in a quota: a customer's at its
    /// maximum entries, AWS's at its weight. `None` where it is not known.
    #[must_use]
    pub fn quota_weight(&self) -> Option<u32> {
        if !self.aws_managed {
            return self.max_entries;
        }
        let name = self
            .name
            .strip_prefix("com.amazonaws.")
            .unwrap_or(&self.name);
        let service = name
            .split_once('.')
            .map_or(name, |(_region, service)| service);
        let service = service.strip_prefix("ipv6.").unwrap_or(service);
        AWS_WEIGHTS
            .iter()
            .find(|(known, _)| service == *known || name == *known)
            .map(|&(_, weight)| weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aws(name: &str) -> PrefixList {
        PrefixList {
            id: PrefixListId::from("pl-1"),
            name: name.to_owned(),
            aws_managed: true,
            max_entries: None,
            entries: None,
        }
    }

    #[test]
    fn lists_count_in_the_quota_by_weight_or_maximum() {
        assert_eq!(aws("com.amazonaws.eu-west-1.s3").quota_weight(), Some(1));
        assert_eq!(
            aws("com.amazonaws.global.cloudfront.origin-facing").quota_weight(),
            Some(55)
        );
        assert_eq!(
            aws("com.amazonaws.eu-west-1.new-service").quota_weight(),
            None
        );
        let customer = PrefixList {
            aws_managed: false,
            max_entries: Some(10),
            ..aws("vpcs")
        };
        assert_eq!(customer.quota_weight(), Some(10));
    }
}
