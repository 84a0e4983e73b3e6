//! Builds the cloud that the blueprint describes, at the size that was asked
//! for. Every id and address follows from the seed and the order of the tables.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::rc::Rc;

use ipnet::IpNet;

use crate::model::Provider;
use crate::sample::blueprint::ACLS;
use crate::sample::blueprint::Blueprint;
use crate::sample::blueprint::LISTS;
use crate::sample::blueprint::RolePlan;
use crate::sample::blueprint::SUBNETS;
use crate::sample::blueprint::groups::GroupPlan;
use crate::sample::notation;
use crate::sample::random::hash;
use crate::sample::random::hash_text;
use crate::sample::random::scale;
use crate::sample::world::Acl;
use crate::sample::world::Group;
use crate::sample::world::Interface;
use crate::sample::world::Kind;
use crate::sample::world::List;
use crate::sample::world::Policy;
use crate::sample::world::Subnet;

/// Roles that are not of a tier are filed under this number.
pub(super) const SHARED: u32 = 0;

/// The made-up cloud.
#[derive(Debug)]
pub(super) struct World {
    pub(super) seed: u64,
    blueprint: Blueprint,
    /// Length of the window in seconds.
    pub(super) seconds: u32,
    pub(super) tiers: u32,
    pub(super) ipv6: bool,
    pub(super) lists: Vec<Rc<List>>,
    pub(super) acls: Vec<Rc<Acl>>,
    pub(super) subnets: Vec<Rc<Subnet>>,
    pub(super) groups: Vec<Rc<Group>>,
    /// Number of rules over all groups; rules are numbered below it.
    pub(super) rules: usize,
    pub(super) interfaces: Vec<Rc<Interface>>,
    pools: BTreeMap<(&'static str, u32), Vec<Rc<Interface>>>,
    hosts: BTreeMap<&'static str, u32>,
}

/// What the size and shape of a cloud hang on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) provider: Provider,
    pub(super) seed: u64,
    pub(super) interfaces: u32,
    pub(super) seconds: u32,
    pub(super) ipv6: bool,
    /// Second at which rules change, if they do.
    pub(super) change_at: Option<u32>,
}

impl World {
    /// The cloud of a plan.
    pub(super) fn build(plan: Plan) -> World {
        let blueprint = Blueprint::of(plan.provider);
        let (shared_roles, tier_roles) = (blueprint.shared_roles, blueprint.tier_roles);
        let shared: u32 = shared_roles.iter().map(|role| role.count).sum();
        let tier: u32 = tier_roles.iter().map(|role| role.count).sum();
        let stretched = plan.interfaces.saturating_sub(shared).max(tier);
        let tiers = (stretched / 90).clamp(1, 40);
        let mut world = World {
            seed: plan.seed,
            seconds: plan.seconds,
            tiers,
            ipv6: plan.ipv6,
            lists: lists(plan.seed, &blueprint),
            acls: acls(plan.seed),
            subnets: Vec::new(),
            groups: Vec::new(),
            rules: 0,
            interfaces: Vec::new(),
            pools: BTreeMap::new(),
            hosts: BTreeMap::new(),
            blueprint,
        };
        world.subnets = subnets(&world);
        world.add_groups(plan);
        for role in shared_roles {
            world.add_role(role, SHARED, role.count);
        }
        for number in 1..=tiers {
            let share = stretched / tiers + u32::from(number <= stretched % tiers);
            for role in tier_roles {
                world.add_role(role, number, (role.count * share / tier).max(1));
            }
        }
        world
    }

    /// Id of the VPC that the flow log watches, or of the other one.
    pub(super) fn vpc_id(&self, watched: bool) -> String {
        self.id("vpc", hash(self.seed, 5, u64::from(watched)))
    }

    /// Id of the one flow log.
    pub(super) fn flow_log_id(&self) -> String {
        self.id("fl", hash(self.seed, 6, 0))
    }

    /// The interfaces of a role in a tier (`SHARED` for roles that exist once).
    pub(super) fn pool(&self, role: &'static str, tier: u32) -> &[Rc<Interface>] {
        self.pools
            .get(&(role, tier))
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    fn add_groups(&mut self, plan: Plan) {
        let Blueprint {
            shared_groups,
            tier_groups,
            ..
        } = self.blueprint.clone();
        let shared = shared_groups.iter().map(|group| (group, SHARED));
        let tiers = (1..=self.tiers).flat_map(|tier| tier_groups.iter().map(move |g| (g, tier)));
        for ((policy, group), tier) in shared.chain(tiers) {
            let group = self.group(group, *policy, tier, plan.change_at);
            self.rules += group.rules.len();
            self.groups.push(Rc::new(group));
        }
    }

    fn group(&self, plan: &GroupPlan, policy: Policy, tier: u32, change_at: Option<u32>) -> Group {
        let &(name, description, rules) = plan;
        let name = in_tier(name, tier);
        let key = hash_text(self.seed, &name);
        let id = self.id("sg", key);
        let context = notation::Context {
            seed: self.seed,
            ids: self.blueprint.ids,
            priority: self.blueprint.priority,
            group_key: key,
            group_id: &id,
            first_number: self.rules,
            lists: &self.lists,
            change_at,
            ipv6: self.ipv6,
        };
        let rules = rules.iter().map(|text| in_tier(text, tier));
        Group {
            key,
            rules: notation::rules(rules, &context),
            watched: name != "lab",
            policy,
            id,
            name,
            description,
        }
    }

    /// An id of a kind, as the cloud spells it.
    pub(super) fn id(&self, kind: &str, key: u64) -> String {
        self.blueprint.id(kind, key)
    }

    fn add_role(&mut self, role: &RolePlan, tier: u32, count: u32) {
        for n in 0..count {
            let at = usize::try_from(n).unwrap_or(0) % role.subnets.len().max(1);
            let Some(&subnet) = role.subnets.get(at) else {
                return;
            };
            let name = match tier {
                SHARED => format!("{}-{}", role.role, n + 1),
                _ => format!("{}-{tier}-{}", role.role, n + 1),
            };
            if let Some(interface) = self.new_interface(role, tier, subnet, name) {
                let interface = self.add(interface);
                let pool = self.pools.entry((role.role, tier)).or_default();
                pool.push(Rc::clone(&interface));
                if interface.public.is_some() && interface.kind != Kind::Nat {
                    self.pools
                        .entry(("public", SHARED))
                        .or_default()
                        .push(interface);
                }
            }
        }
    }

    /// Gives the interface its place.
    pub(super) fn add(&mut self, interface: Interface) -> Rc<Interface> {
        let interface = Rc::new(interface);
        self.interfaces.push(Rc::clone(&interface));
        interface
    }

    fn new_interface(
        &mut self,
        role: &RolePlan,
        tier: u32,
        subnet: &'static str,
        name: String,
    ) -> Option<Interface> {
        let subnet = Rc::clone(self.subnets.iter().find(|own| own.name == subnet)?);
        let names: Vec<String> = role.groups.iter().map(|text| in_tier(text, tier)).collect();
        let groups = self
            .groups
            .iter()
            .filter(|group| names.contains(&group.name));
        let groups = groups.map(Rc::clone).collect();
        let (primary, v6) = self.next_address(&subnet)?;
        let pods = (0..role.pods)
            .filter_map(|_| self.next_address(&subnet).map(|(pod, _)| pod))
            .collect();
        let number = self.interfaces.len();
        let key = hash(self.seed, 1, u64::try_from(number).unwrap_or(0));
        Some(Interface {
            number,
            id: self.id("eni", key),
            name,
            kind: role.kind,
            v6: v6.filter(|_| role.kind != Kind::Nat),
            public: subnet.public.then(|| public_address(number)).flatten(),
            subnet,
            primary,
            pods,
            groups,
            instance_id: (role.kind == Kind::Instance)
                .then(|| self.id("i", hash(self.seed, 2, key))),
            phase: scale(hash(self.seed, 3, key), 60),
            from: 0,
            until: u32::MAX,
            listed: true,
        })
    }

    /// A task of a slot: the slot keeps its address and its groups, and every
    /// task in it is another interface.
    pub(super) fn new_task(&self, slot: u32, from: u32, until: u32) -> Option<Interface> {
        let subnet = Rc::clone(self.subnets.iter().find(|subnet| subnet.name == "app-b")?);
        let group = Rc::clone(self.groups.iter().find(|group| group.name == "task")?);
        let number = self.interfaces.len();
        let key = hash(self.seed, 1, u64::try_from(number).unwrap_or(0));
        Some(Interface {
            number,
            id: self.id("eni", key),
            name: format!("task-{}", slot + 1),
            kind: Kind::Task,
            primary: host(&subnet, 3_800 + slot % 200)?,
            subnet,
            pods: Vec::new(),
            v6: None,
            public: None,
            groups: vec![group],
            instance_id: None,
            phase: scale(hash(self.seed, 3, key), 60),
            from,
            until,
            listed: false,
        })
    }

    fn next_address(&mut self, subnet: &Subnet) -> Option<(Ipv4Addr, Option<Ipv6Addr>)> {
        let taken = self.hosts.entry(subnet.name).or_insert(10);
        let number = *taken;
        *taken += 1;
        let v4 = host(subnet, number)?;
        let v6 = subnet.cidr6.and_then(|net| match net {
            IpNet::V6(net) => Some(Ipv6Addr::from_bits(
                net.network().to_bits() + u128::from(number),
            )),
            IpNet::V4(_) => None,
        });
        Some((v4, v6))
    }
}

fn in_tier(text: &str, tier: u32) -> String {
    text.replace("{t}", &tier.to_string())
}

/// The n-th address of a subnet, `None` where it has no such.
fn host(subnet: &Subnet, number: u32) -> Option<Ipv4Addr> {
    match subnet.cidr {
        IpNet::V4(net) => net
            .hosts()
            .nth(usize::try_from(number).ok()?.checked_sub(1)?),
        IpNet::V6(_) => None,
    }
}

/// Public addresses of the account, out of the benchmark range.
fn public_address(number: usize) -> Option<Ipv4Addr> {
    let offset = u32::try_from(number).ok()? % 32_000;
    Some(Ipv4Addr::from_bits(
        Ipv4Addr::new(198, 19, 0, 10).to_bits() + offset,
    ))
}

fn lists(seed: u64, blueprint: &Blueprint) -> Vec<Rc<List>> {
    let list = |&(name, aws, entries): &(&'static str, bool, &[&str])| {
        Rc::new(List {
            id: blueprint.id("pl", hash_text(seed, name)),
            name,
            aws,
            entries: entries.iter().filter_map(|net| net.parse().ok()).collect(),
        })
    };
    LISTS.iter().map(list).collect()
}

fn acls(seed: u64) -> Vec<Rc<Acl>> {
    let acl = |&(name, entries): &(&'static str, &[&str])| {
        Rc::new(Acl {
            id: format!("acl-0{:016x}", hash(seed, 4, hash_text(seed, name))),
            name,
            watched: name != "lab",
            entries: notation::entries(entries),
        })
    };
    ACLS.iter().map(acl).collect()
}

fn subnets(world: &World) -> Vec<Rc<Subnet>> {
    let blueprint = &world.blueprint;
    let mut subnets = Vec::new();
    for (number, plan) in SUBNETS.iter().enumerate() {
        let named = if blueprint.acls { plan.acl } else { "open" };
        let Some(acl) = world.acls.iter().find(|acl| acl.name == named) else {
            continue;
        };
        let Ok(cidr) = plan.cidr.parse() else {
            continue;
        };
        let [even, odd] = blueprint.zones;
        let (zone, zone_id) = if number % 2 == 0 { even } else { odd };
        subnets.push(Rc::new(Subnet {
            id: blueprint.id(blueprint.subnet, hash_text(world.seed, plan.cidr)),
            name: plan.name,
            zone,
            zone_id,
            vpc_id: world.vpc_id(plan.watched),
            cidr,
            cidr6: plan.cidr6.parse().ok().filter(|_| world.ipv6),
            public: plan.public,
            watched: plan.watched,
            acl: Rc::clone(acl),
        }));
    }
    subnets
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    pub(in crate::sample) fn world(interfaces: u32) -> World {
        World::build(Plan {
            provider: Provider::Aws,
            seed: 1,
            interfaces,
            seconds: 86_400,
            ipv6: true,
            change_at: None,
        })
    }

    #[test]
    fn every_line_of_the_blueprint_is_understood() {
        let world = world(40);
        let Blueprint {
            shared_groups,
            tier_groups,
            ..
        } = Blueprint::of(Provider::Aws);
        let lines = shared_groups.iter().chain(&tier_groups);
        let lines: usize = lines.map(|(_, (_, _, rules))| rules.len()).sum();
        // One rule of the blueprint waits for rules that change midway.
        assert_eq!(world.rules, lines - 1);
        let entries: usize = ACLS.iter().map(|(_, entries)| entries.len()).sum();
        assert_eq!(
            world
                .acls
                .iter()
                .map(|acl| acl.entries.len())
                .sum::<usize>(),
            entries
        );
        assert_eq!(
            world
                .lists
                .iter()
                .map(|list| list.entries.len())
                .sum::<usize>(),
            5
        );
        assert_eq!(world.subnets.len(), SUBNETS.len());
    }

    #[test]
    fn the_name_server_has_the_address_that_rules_name() {
        let world = world(40);
        let first = world.pool("dns", SHARED).first().unwrap();
        assert_eq!(first.primary, Ipv4Addr::new(10, 0, 112, 10));
    }

    #[test]
    fn a_cloud_has_about_the_asked_size_and_no_address_twice() {
        for asked in [1, 40, 400, 3_000] {
            let world = world(asked);
            let made = u32::try_from(world.interfaces.len()).unwrap();
            assert!(
                made >= asked * 8 / 10 && made <= asked.max(40),
                "{asked} gave {made}"
            );
            let ids: BTreeSet<&str> = world.interfaces.iter().map(|i| i.id.as_str()).collect();
            assert_eq!(ids.len(), world.interfaces.len());
            let addresses: Vec<Ipv4Addr> = world
                .interfaces
                .iter()
                .flat_map(|i| i.pods.iter().copied().chain([i.primary]))
                .collect();
            assert_eq!(
                addresses.iter().collect::<BTreeSet<_>>().len(),
                addresses.len()
            );
        }
    }
}
