//! Where resources are put as they are read, so that the same one from two
//! pages or files becomes one again.
//!
//! Identical repeats are silent. Repeats that differ are noted, and the last
//! one put counts; files are read in the order of their paths.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::describe::alibaba;
use crate::describe::alibaba::drafts::Drafts;
use crate::describe::aws::acls;
use crate::describe::aws::answer::Answer;
use crate::describe::aws::flow_logs;
use crate::describe::aws::groups;
use crate::describe::aws::groups::GroupDraft;
use crate::describe::aws::interfaces;
use crate::describe::aws::prefix_lists;
use crate::describe::aws::prefix_lists::ListDraft;
use crate::describe::aws::rules;
use crate::describe::aws::rules::RuleRow;
use crate::describe::aws::vpcs;
use crate::describe::error::Fault;
use crate::describe::json::Object;
use crate::describe::note::Doubt;
use crate::describe::note::Notes;
use crate::describe::note::subject;
use crate::model::AclId;
use crate::model::Eni;
use crate::model::EniId;
use crate::model::NetworkAcl;
use crate::model::PrefixListId;
use crate::model::SgId;
use crate::model::Snapshot;
use crate::model::SubnetId;
use crate::model::VpcId;
use crate::model::vpc::FlowLog;
use crate::model::vpc::Subnet;
use crate::model::vpc::Vpc;
use crate::model::vpc::VpcAssociation;
use crate::model::vpc::VpcPeering;

/// Resources of one kind by id, each with the file it came from.
#[derive(Debug)]
pub(super) struct Shelf<K, V>(BTreeMap<K, (V, Arc<str>)>);

impl<K, V> Default for Shelf<K, V> {
    fn default() -> Shelf<K, V> {
        Shelf(BTreeMap::new())
    }
}

impl<K: Ord + fmt::Display, V: PartialEq> Shelf<K, V> {
    fn put(&mut self, key: K, value: V, file: &Arc<str>, notes: &mut Notes) {
        if let Some((held, first)) = self.0.get(&key)
            && *held != value
        {
            let places = format!("{} and {}", subject(first), subject(file));
            let text = format!("{} in {places}", subject(key.to_string()));
            notes.about(Doubt::DISAGREEMENT, text);
        }
        self.0.insert(key, (value, Arc::clone(file)));
    }

    /// Adds what is not here yet.
    fn fill_from(&mut self, other: Shelf<K, V>) {
        for (key, value) in other.0 {
            self.0.entry(key).or_insert(value);
        }
    }

    /// Whether a resource is here.
    fn has(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    /// How many resources.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The resources by id.
    pub(super) fn into_map(self) -> BTreeMap<K, V> {
        let items = self.0.into_iter();
        items.map(|(key, (value, _))| (key, value)).collect()
    }

    /// The resources in the order of their ids.
    pub(super) fn into_values(self) -> impl Iterator<Item = V> {
        self.0.into_values().map(|(value, _)| value)
    }
}

/// One shelf a kind of resource.
#[derive(Debug, Default)]
pub(super) struct Shelves {
    pub(super) groups: Shelf<SgId, GroupDraft>,
    pub(super) rules: Shelf<String, RuleRow>,
    pub(super) enis: Shelf<EniId, Eni>,
    /// Interfaces that instances show; they count only where nothing lists
    /// interfaces, and so do the notes about them.
    pub(super) instance_enis: Shelf<EniId, Eni>,
    pub(super) instance_notes: Notes,
    pub(super) acls: Shelf<AclId, NetworkAcl>,
    pub(super) subnets: Shelf<SubnetId, Subnet>,
    pub(super) vpcs: Shelf<VpcId, Vpc>,
    pub(super) associations: Shelf<String, VpcAssociation>,
    pub(super) peerings: Shelf<String, VpcPeering>,
    pub(super) flow_logs: Shelf<String, FlowLog>,
    pub(super) lists: Shelf<PrefixListId, ListDraft>,
    /// Groups of Alibaba Cloud.
    pub(super) drafts: Drafts,
}

impl Shelves {
    /// Puts one resource on the shelf of its answer. Entries of prefix lists
    /// and items of AWS Config are no resources and are not for here.
    pub(super) fn put(
        &mut self,
        answer: Answer,
        object: Object<'_>,
        file: &Arc<str>,
        notes: &mut Notes,
    ) -> Result<(), Fault> {
        match answer {
            Answer::SecurityGroups => {
                let draft = groups::group(object)?;
                self.groups.put(draft.group.id.clone(), draft, file, notes);
            }
            Answer::SecurityGroupRules => {
                let row = rules::row(object)?;
                self.rules.put(row.key(), row, file, notes);
            }
            Answer::NetworkInterfaces => {
                let eni = interfaces::interface(object)?;
                self.enis.put(eni.id, eni, file, notes);
            }
            Answer::NetworkAcls => {
                let acl = acls::acl(object)?;
                self.acls.put(acl.id.clone(), acl, file, notes);
            }
            Answer::Subnets => {
                let subnet = vpcs::subnet(object)?;
                self.subnets.put(subnet.id.clone(), subnet, file, notes);
            }
            Answer::Vpcs => {
                let vpc = vpcs::vpc(object)?;
                self.vpcs.put(vpc.id.clone(), vpc, file, notes);
            }
            Answer::PrefixLists => {
                let (id, draft) = prefix_lists::list(object)?;
                self.put_list(id, draft, file, notes);
            }
            Answer::FlowLogs => {
                let log = flow_logs::flow_log(object)?;
                self.flow_logs.put(log.id.clone(), log, file, notes);
            }
            Answer::VpcAssociations => self.put_association(object, file, notes)?,
            Answer::VpcPeerings => self.put_peering(object, file, notes)?,
            Answer::Instances => {
                for eni in interfaces::of_instance(object)? {
                    let notes = &mut self.instance_notes;
                    self.instance_enis.put(eni.id, eni, file, notes);
                }
            }
            Answer::Reservations => {
                for instance in object.objects("Instances")? {
                    self.put(Answer::Instances, instance, file, notes)?;
                }
            }
            Answer::Entries | Answer::ConfigurationItems => {}
        }
        Ok(())
    }

    /// Puts what one answer of Alibaba Cloud lists on its shelf.
    pub(super) fn put_alibaba(
        &mut self,
        answer: alibaba::answer::Answer,
        items: &[Value],
        document: Object<'_>,
        file: &Arc<str>,
        notes: &mut Notes,
    ) -> Result<(), Fault> {
        match answer {
            alibaba::answer::Answer::Permissions => {
                return self.drafts.permissions(document, items, notes);
            }
            alibaba::answer::Answer::Entries => {
                let id = document.id("PrefixListId");
                let id = id.map_err(|fault| fault.of("prefix list", "?"))?;
                return self.put_entries(PrefixListId::from(id), items, file, notes);
            }
            alibaba::answer::Answer::Groups
            | alibaba::answer::Answer::Interfaces
            | alibaba::answer::Answer::VSwitches
            | alibaba::answer::Answer::Vpcs
            | alibaba::answer::Answer::PrefixLists
            | alibaba::answer::Answer::FlowLogs => {}
        }
        for object in items.iter().filter_map(Object::of) {
            self.put_alibaba_one(answer, object, file, notes)?;
        }
        Ok(())
    }

    fn put_alibaba_one(
        &mut self,
        answer: alibaba::answer::Answer,
        object: Object<'_>,
        file: &Arc<str>,
        notes: &mut Notes,
    ) -> Result<(), Fault> {
        match answer {
            alibaba::answer::Answer::Groups => self.drafts.list(object, notes)?,
            alibaba::answer::Answer::Interfaces => {
                let eni = alibaba::interfaces::interface(object)?;
                self.enis.put(eni.id, eni, file, notes);
            }
            alibaba::answer::Answer::VSwitches => {
                let vswitch = alibaba::networks::vswitch(object)?;
                self.subnets.put(vswitch.id.clone(), vswitch, file, notes);
            }
            alibaba::answer::Answer::Vpcs => {
                let vpc = alibaba::networks::vpc(object)?;
                self.vpcs.put(vpc.id.clone(), vpc, file, notes);
            }
            alibaba::answer::Answer::PrefixLists => {
                let (id, draft) = prefix_lists::list(object)?;
                self.put_list(id, draft, file, notes);
            }
            alibaba::answer::Answer::FlowLogs => {
                let log = alibaba::networks::flow_log(object)?;
                if log.filtered {
                    notes.about(Doubt::FILTERED_FLOW_LOG, subject(&log.id));
                }
                self.flow_logs.put(log.id.clone(), log, file, notes);
            }
            alibaba::answer::Answer::Permissions | alibaba::answer::Answer::Entries => {}
        }
        Ok(())
    }

    /// Adds one page of a list's entries.
    pub(super) fn put_entries(
        &mut self,
        id: PrefixListId,
        items: &[Value],
        file: &Arc<str>,
        notes: &mut Notes,
    ) -> Result<(), Fault> {
        let entries = prefix_lists::entries(items).map_err(|fault| fault.of("prefix list", &id))?;
        self.put_list(id, ListDraft::of_entries(entries), file, notes);
        Ok(())
    }

    /// The two halves of a list come from two calls, and its entries in
    /// pages: what is told adds up, and entries add up within a file.
    fn put_list(&mut self, id: PrefixListId, draft: ListDraft, file: &Arc<str>, notes: &mut Notes) {
        let Some((held, first)) = self.lists.0.get_mut(&id) else {
            self.lists.put(id, draft, file, notes);
            return;
        };
        if held.tell(draft, file == first) {
            let places = format!("{} and {}", subject(&*first), subject(file));
            let text = format!("{} in {places}", subject(id.as_str()));
            notes.about(Doubt::DISAGREEMENT, text);
        }
        *first = Arc::clone(file);
    }

    fn put_association(
        &mut self,
        object: Object<'_>,
        file: &Arc<str>,
        notes: &mut Notes,
    ) -> Result<(), Fault> {
        let association =
            vpcs::association(object).map_err(|fault| fault.of("association", "?"))?;
        let key = format!("{} in {}", association.group_id, association.vpc_id);
        self.associations.put(key, association, file, notes);
        Ok(())
    }

    fn put_peering(
        &mut self,
        object: Object<'_>,
        file: &Arc<str>,
        notes: &mut Notes,
    ) -> Result<(), Fault> {
        match vpcs::peering(object)? {
            (id, Some(peering)) => self.peerings.put(id, peering, file, notes),
            (id, None) => notes.about(Doubt::PEERING_WITHOUT_VPCS, subject(id)),
        }
        Ok(())
    }

    /// Groups that rules of their own answer name.
    pub(super) fn groups_of_rules(&self) -> BTreeSet<SgId> {
        let rows = self.rules.0.values();
        rows.map(|(row, _)| row.group.clone()).collect()
    }

    /// Whether the resource that AWS Config has under this id is here; `named`
    /// are [`Shelves::groups_of_rules`].
    pub(super) fn has(&self, answer: Answer, id: &str, named: &BTreeSet<SgId>) -> bool {
        match answer {
            Answer::SecurityGroups => {
                let id = SgId::from(id);
                self.groups.has(&id) || named.contains(&id)
            }
            Answer::NetworkInterfaces => EniId::parse(id).is_some_and(|id| self.enis.has(&id)),
            Answer::NetworkAcls => self.acls.has(&AclId::from(id)),
            Answer::Subnets => self.subnets.has(&SubnetId::from(id)),
            Answer::Vpcs => self.vpcs.has(&VpcId::from(id)),
            Answer::PrefixLists => self.lists.has(&PrefixListId::from(id)),
            Answer::SecurityGroupRules
            | Answer::Entries
            | Answer::FlowLogs
            | Answer::VpcAssociations
            | Answer::VpcPeerings
            | Answer::Reservations
            | Answer::Instances
            | Answer::ConfigurationItems => false,
        }
    }

    /// Whether nothing was put on the shelves.
    pub(super) fn is_empty(&self) -> bool {
        self.groups.len() + self.rules.len() + self.enis.len() == 0
    }

    /// The snapshot of what is here, of no time.
    pub(super) fn into_snapshot(mut self, notes: &mut Notes) -> Snapshot {
        let ranked = std::mem::take(&mut self.drafts).finish(notes);
        let rows = self.rules.into_values().collect();
        let groups = rules::join(self.groups.into_map(), rows, notes);
        let lists = self.lists.into_map().into_iter();
        let lists = lists.map(|(id, draft)| (id.clone(), draft.finish(id)));
        Snapshot {
            groups: Arc::new(groups.into_iter().chain(ranked).collect()),
            enis: Arc::new(self.enis.into_map()),
            acls: Arc::new(self.acls.into_map()),
            subnets: Arc::new(self.subnets.into_map()),
            vpcs: Arc::new(self.vpcs.into_map()),
            prefix_lists: Arc::new(lists.collect()),
            associations: self.associations.into_values().collect(),
            peerings: self.peerings.into_values().collect(),
            flow_logs: Arc::new(self.flow_logs.into_map()),
            ..Snapshot::default()
        }
    }

    /// Adds what is not here yet: describe calls tell more than AWS Config.
    pub(super) fn fill_from(&mut self, other: Shelves) {
        // Bound in full, so that a new shelf cannot be forgotten here.
        let Shelves {
            groups,
            rules,
            enis,
            instance_enis,
            instance_notes,
            acls,
            subnets,
            vpcs,
            associations,
            peerings,
            flow_logs,
            lists,
            drafts,
        } = other;
        self.groups.fill_from(groups);
        self.rules.fill_from(rules);
        self.enis.fill_from(enis);
        self.instance_enis.fill_from(instance_enis);
        self.instance_notes.absorb(instance_notes);
        self.acls.fill_from(acls);
        self.subnets.fill_from(subnets);
        self.vpcs.fill_from(vpcs);
        self.associations.fill_from(associations);
        self.peerings.fill_from(peerings);
        self.flow_logs.fill_from(flow_logs);
        self.lists.fill_from(lists);
        self.drafts.fill_from(drafts);
    }
}
