//! Items of AWS Config -> the states of the configuration, one a change.
//!
//! Each resource has a life: what it was from each of its items on. Together
//! they make a row of snapshots that share what did not change between them.
//! What a resource was before its first item is told by nobody: groups and
//! interfaces are taken as they first were and marked as guessed, network ACLs
//! and prefix lists are left out. A resource that Config *discovered* began
//! then, and one that it calls deleted is gone from then on (AWS Config
//! developer guide, "Configuration items").
//!
//! Describe answers beside the items are one more look at what they show, of
//! the time of the folder.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::describe::aws::answer::Answer;
use crate::describe::aws::config::Item;
use crate::describe::aws::config::State;
use crate::describe::error::Fault;
use crate::describe::json::Object;
use crate::describe::note::Doubt;
use crate::describe::note::Notes;
use crate::describe::note::subject;
use crate::describe::shelves::Shelves;
use crate::model::AclId;
use crate::model::Eni;
use crate::model::EniId;
use crate::model::PrefixListId;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::Snapshot;
use crate::model::SubnetId;
use crate::model::VpcId;
use crate::model::snapshot::Dating;
use crate::net::Timestamp;
use crate::net::time::DAY;

/// Most states that are kept apart, and most groups and interfaces in all of
/// them together: bounds on memory, paid in doubt about the oldest times.
const MOST_STATES: usize = 512;
const MOST_ENTRIES: usize = 1_000_000;
/// States that are kept apart however large the cloud.
const FEWEST_STATES: usize = 128;
/// Days before the newest change whose changes are told apart where there are
/// too many times.
const DAYS_APART: i64 = 120;

/// One resource over time.
#[derive(Debug)]
pub(super) struct Life {
    answer: Answer,
    id: String,
    /// Whether its first item says that it began then.
    begins: bool,
    /// Whether a describe answer shows it too.
    described: bool,
    states: Vec<Spell>,
}

/// What a resource was from a time on.
#[derive(Clone, Debug)]
struct Spell {
    since: Option<Timestamp>,
    dating: Dating,
    /// The resource alone; `None` where it is gone, or nobody says what it is.
    one: Option<Snapshot>,
}

/// Whether the history of such resources counts.
pub(super) fn is_followed(answer: Answer) -> bool {
    match answer {
        Answer::SecurityGroups
        | Answer::NetworkInterfaces
        | Answer::NetworkAcls
        | Answer::Subnets
        | Answer::Vpcs
        | Answer::PrefixLists => true,
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

impl Life {
    /// The life that items tell, which come in order of time.
    pub(super) fn of(
        answer: Answer,
        id: String,
        described: bool,
        items: Vec<Item>,
        notes: &mut Notes,
    ) -> Result<Life, (Fault, Arc<str>)> {
        let begins = items.first().is_some_and(|item| item.discovered);
        if items.iter().any(|item| item.daily) {
            notes.about(Doubt::DAILY_HISTORY, subject(&id));
        }
        let states = items.into_iter().map(|item| spell(answer, &item));
        Ok(Life {
            answer,
            begins,
            described,
            states: states.collect::<Result<_, _>>()?,
            id,
        })
    }

    /// Puts what describe answers know, and items do not, into its past.
    fn learn_from(&mut self, newest: &Snapshot) {
        let shown = self.described.then(|| self.within(newest));
        for one in self
            .states
            .iter_mut()
            .filter_map(|spell| spell.one.as_mut())
        {
            for (id, group) in Arc::make_mut(&mut one.groups) {
                if let Some(known) = newest.groups.get(id) {
                    name_rules(group, known);
                }
            }
            for (id, eni) in Arc::make_mut(&mut one.enis) {
                if let Some(known) = newest.enis.get(id) {
                    complete(eni, known);
                }
            }
        }
        let last = self.states.last_mut().and_then(|spell| spell.one.as_mut());
        if let (Some(last), Some(shown)) = (last, shown)
            && says_the_same(last, &shown)
        {
            *last = shown;
        }
    }

    /// The times from which on its states count, each with the state: with
    /// `coarse`, some count later than they are told.
    fn changes(&self, coarse: Option<Coarse>) -> impl Iterator<Item = (Timestamp, &Spell)> {
        let from = move |number: usize, spell: &Spell| {
            let since = spell.since?;
            let changed = number > 0 || self.begins;
            Some(coarse.map_or(since, |coarse| coarse.from(since, changed)))
        };
        let each = self.states.iter().enumerate();
        let times: Vec<Option<Timestamp>> =
            each.map(|(number, spell)| from(number, spell)).collect();
        let next: Vec<Option<Timestamp>> = times.iter().skip(1).copied().chain([None]).collect();
        let told = self.states.iter().zip(times).zip(next);
        told.filter_map(|((spell, from), next)| {
            let from = from?;
            next.is_none_or(|next| from < next).then_some((from, spell))
        })
    }

    /// The resource as the newest snapshot has it, where that is another state
    /// than its last item's.
    fn seen_otherwise(&self, newest: &Snapshot) -> Option<Snapshot> {
        if !self.described {
            return None;
        }
        let shown = self.within(newest);
        let last = self.states.last().and_then(|spell| spell.one.as_ref());
        let same = last.is_some_and(|last| says_the_same(last, &shown));
        (!same).then_some(shown)
    }

    /// The resource alone, as a snapshot has it.
    fn within(&self, snapshot: &Snapshot) -> Snapshot {
        let mut one = Snapshot::default();
        self.put(snapshot, &mut one);
        one
    }

    /// Puts the resource of one snapshot into another, or takes it out there.
    fn put(&self, from: &Snapshot, into: &mut Snapshot) {
        let id = self.id.as_str();
        match self.answer {
            Answer::SecurityGroups => set(&from.groups, &mut into.groups, &SgId::from(id)),
            Answer::NetworkInterfaces => {
                if let Some(id) = EniId::parse(id) {
                    set(&from.enis, &mut into.enis, &id);
                }
            }
            Answer::NetworkAcls => set(&from.acls, &mut into.acls, &AclId::from(id)),
            Answer::Subnets => set(&from.subnets, &mut into.subnets, &SubnetId::from(id)),
            Answer::Vpcs => set(&from.vpcs, &mut into.vpcs, &VpcId::from(id)),
            Answer::PrefixLists => {
                let id = PrefixListId::from(id);
                set(&from.prefix_lists, &mut into.prefix_lists, &id);
            }
            Answer::SecurityGroupRules
            | Answer::Entries
            | Answer::FlowLogs
            | Answer::VpcAssociations
            | Answer::VpcPeerings
            | Answer::Reservations
            | Answer::Instances
            | Answer::ConfigurationItems => {}
        }
    }

    /// Marks what it is as guessed, or as known.
    fn mark(&self, guessed: bool, snapshot: &mut Snapshot) {
        if self.answer == Answer::SecurityGroups {
            let id = SgId::from(self.id.as_str());
            if snapshot.guessed.groups.contains(&id) != guessed {
                let marks = Arc::make_mut(&mut snapshot.guessed);
                mark(&mut marks.groups, id, guessed);
            }
        } else if self.answer == Answer::NetworkInterfaces
            && let Some(id) = EniId::parse(&self.id)
            && snapshot.guessed.enis.contains(&id) != guessed
        {
            let marks = Arc::make_mut(&mut snapshot.guessed);
            mark(&mut marks.enis, id, guessed);
        }
    }

    /// Makes a snapshot what is known of the time before the first item.
    fn begin(&self, before: &mut Snapshot, coarse: Option<Coarse>) {
        let nothing = Snapshot::default();
        let first = self.states.first();
        let timed = first.is_some_and(|spell| spell.since.is_some());
        let shown = first.and_then(|spell| spell.one.as_ref());
        let since = first.and_then(|spell| spell.since);
        let apart = coarse.is_none_or(|coarse| since > Some(coarse.oldest()));
        let told_later = timed && self.begins && apart;
        let left_out = [Answer::NetworkAcls, Answer::PrefixLists].contains(&self.answer);
        let stands_in = if left_out { !timed } else { !told_later };
        let shown = shown.filter(|_| stands_in);
        self.put(shown.unwrap_or(&nothing), before);
        self.mark(timed && shown.is_some(), before);
    }
}

fn spell(answer: Answer, item: &Item) -> Result<Spell, (Fault, Arc<str>)> {
    let configuration = match &item.state {
        State::Described(configuration) => Object::of(configuration),
        State::Undescribed | State::Deleted => None,
    };
    let one = configuration.map(|object| alone(answer, object, &item.file));
    let one = one.transpose();
    Ok(Spell {
        since: item.since(),
        dating: if item.daily {
            Dating::Seen
        } else {
            Dating::Changed
        },
        one: one.map_err(|fault| (fault, Arc::clone(&item.file)))?,
    })
}

/// One resource as a snapshot of nothing else. What it lacks is told of the
/// newest state alone.
fn alone(answer: Answer, object: Object<'_>, file: &Arc<str>) -> Result<Snapshot, Fault> {
    let (mut shelves, mut untold) = (Shelves::default(), Notes::default());
    shelves.put(answer, object, file, &mut untold)?;
    Ok(shelves.into_snapshot(&mut untold))
}

fn set<K: Ord + Clone, V: Clone>(from: &BTreeMap<K, V>, into: &mut Arc<BTreeMap<K, V>>, key: &K) {
    match from.get(key) {
        Some(value) => {
            Arc::make_mut(into).insert(key.clone(), value.clone());
        }
        None if into.contains_key(key) => {
            Arc::make_mut(into).remove(key);
        }
        None => {}
    }
}

fn mark<K: Ord>(marks: &mut BTreeSet<K>, key: K, guessed: bool) {
    if guessed {
        marks.insert(key);
    } else {
        marks.remove(&key);
    }
}

/// Config knows no ids of rules: those that describe calls show under words
/// are the rules of these words at all times.
fn name_rules(group: &mut SecurityGroup, known: &SecurityGroup) {
    for rule in &mut group.rules {
        let same = known.rules.iter().find(|other| same_words(other, rule));
        if let Some(same) = same {
            *rule = same.clone();
        }
    }
    group.rules.sort_by(SgRule::by_direction_and_id);
}

fn same_words(one: &SgRule, other: &SgRule) -> bool {
    (one.direction, one.transport, &one.peer) == (other.direction, other.transport, &other.peer)
}

/// What Config leaves out of interfaces, and what never changes.
fn complete(eni: &mut Eni, known: &Eni) {
    eni.kind = known.kind;
    if eni.prefixes.is_empty() {
        eni.prefixes.clone_from(&known.prefixes);
    }
}

/// Whether two states of one resource judge alike.
fn says_the_same(one: &Snapshot, other: &Snapshot) -> bool {
    let groups = one.groups.len() == other.groups.len()
        && one.groups.iter().all(|(id, group)| {
            let other = other.groups.get(id);
            other.is_some_and(|other| same_rules(group, other))
        });
    let enis = one.enis.len() == other.enis.len()
        && one.enis.iter().all(|(id, eni)| {
            let other = other.enis.get(id);
            other.is_some_and(|other| same_place(eni, other))
        });
    groups
        && enis
        && one.acls == other.acls
        && one.subnets == other.subnets
        && one.vpcs == other.vpcs
        && one.prefix_lists == other.prefix_lists
}

fn same_rules(one: &SecurityGroup, other: &SecurityGroup) -> bool {
    let within = |rules: &[SgRule], rule: &SgRule| rules.iter().any(|own| same_words(own, rule));
    one.rules.iter().all(|rule| within(&other.rules, rule))
        && other.rules.iter().all(|rule| within(&one.rules, rule))
}

fn same_place(one: &Eni, other: &Eni) -> bool {
    (&one.addresses, &one.prefixes, &one.groups, &one.subnet_id)
        == (
            &other.addresses,
            &other.prefixes,
            &other.groups,
            &other.subnet_id,
        )
}

/// A change of one resource at a time.
struct Change<'l> {
    life: &'l Life,
    dating: Dating,
    one: Option<Snapshot>,
}

/// The states that lives make, oldest first, and the newest one. `newest` holds
/// everything as it is told last, and `described` says whether describe answers
/// told of it. Where no resource changed, it is the only state.
pub(super) fn unfold(
    mut lives: Vec<Life>,
    newest: Snapshot,
    described: bool,
    notes: &mut Notes,
) -> (Vec<Snapshot>, Snapshot) {
    let changed = |life: &Life| life.states.len() > 1;
    if !lives.iter().any(changed) {
        return (Vec::new(), newest);
    }
    for life in &mut lives {
        life.learn_from(&newest);
    }
    let size = newest.groups.len() + newest.enis.len() + lives.len();
    let kept = (MOST_ENTRIES / size.max(1)).clamp(FEWEST_STATES, MOST_STATES);
    let coarse = coarse(&lives, &newest, kept);
    let changes = changes(&lives, &newest, coarse);
    if described && newest.captured_at.is_none() {
        notes.add(Doubt::UNDATED_BESIDE_HISTORY);
    }
    let mut before = Snapshot {
        captured_at: None,
        dating: Dating::Changed,
        ..newest
    };
    for life in &lives {
        life.begin(&mut before, coarse);
    }
    let merged = changes.len().saturating_sub(kept);
    if merged > 0 {
        notes.add(Doubt::HISTORY_SHORTENED);
    }
    states(before, changes, merged)
}

/// Times that are not told apart where there are too many.
#[derive(Clone, Copy, Debug)]
struct Coarse {
    newest: Timestamp,
}

impl Coarse {
    /// Nothing older is told apart.
    fn oldest(self) -> Timestamp {
        Timestamp(self.newest.0.saturating_sub(DAYS_APART * DAY))
    }

    /// From when on a state counts: what was never another before it from the
    /// end of the day, a change from its time.
    fn from(self, since: Timestamp, changed: bool) -> Timestamp {
        let next_day = since.0.div_euclid(DAY).saturating_add(1);
        let day_end = Timestamp(next_day.saturating_mul(DAY)).min(self.newest);
        let from = if changed { since } else { day_end };
        from.max(self.oldest())
    }
}

/// How coarse times have to be, where there are more than may be kept apart.
fn coarse(lives: &[Life], newest: &Snapshot, kept: usize) -> Option<Coarse> {
    let all = changes(lives, newest, None);
    let (&newest, _) = all.last_key_value()?;
    (all.len() > kept).then_some(Coarse { newest })
}

/// Every change by its time, those that describe answers show last.
fn changes<'l>(
    lives: &'l [Life],
    newest: &Snapshot,
    coarse: Option<Coarse>,
) -> BTreeMap<Timestamp, Vec<Change<'l>>> {
    let mut changes: BTreeMap<Timestamp, Vec<Change<'_>>> = BTreeMap::new();
    for life in lives {
        for (from, spell) in life.changes(coarse) {
            changes.entry(from).or_default().push(Change {
                life,
                dating: spell.dating,
                one: spell.one.clone(),
            });
        }
    }
    let last = changes.last_key_value().map(|(time, _)| *time);
    let Some(seen_at) = newest.captured_at.or(last) else {
        return changes;
    };
    for life in lives {
        let told_since = life.states.last().and_then(|spell| spell.since) > Some(seen_at);
        if let Some(shown) = life.seen_otherwise(newest).filter(|_| !told_since) {
            changes.entry(seen_at).or_default().push(Change {
                life,
                dating: Dating::Seen,
                one: Some(shown),
            });
        }
    }
    changes
}

/// Goes through the changes. All begin with the first; the `merged` times after
/// it make one with it, of which what changed in them is not known.
fn states(
    before: Snapshot,
    changes: BTreeMap<Timestamp, Vec<Change<'_>>>,
    merged: usize,
) -> (Vec<Snapshot>, Snapshot) {
    let mut at = before;
    let (mut states, mut passing) = (Vec::new(), Vec::new());
    for (number, (time, changes)) in changes.into_iter().enumerate() {
        if number > 0 && number <= merged {
            for change in &changes {
                change.may_hold(&mut at);
            }
            passing.extend(changes);
            continue;
        }
        states.push(at.clone());
        at.captured_at = Some(time);
        at.dating = Dating::Changed;
        for change in passing.drain(..).chain(changes) {
            change.hold(&mut at);
        }
    }
    (states, at)
}

impl Change<'_> {
    /// Makes it so.
    fn hold(&self, at: &mut Snapshot) {
        let nothing = Snapshot::default();
        self.life.put(self.one.as_ref().unwrap_or(&nothing), at);
        self.life.mark(false, at);
        if self.dating == Dating::Seen {
            at.dating = Dating::Seen;
        }
    }

    /// Makes it something that may be so: what is gone stays, in doubt.
    fn may_hold(&self, at: &mut Snapshot) {
        if let Some(one) = &self.one {
            self.life.put(one, at);
            self.life.mark(true, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prop_assert;
    use proptest::prop_assert_eq;
    use proptest::proptest;
    use serde_json::Value;
    use serde_json::json;

    use super::*;
    use crate::describe::collect::Collector;
    use crate::describe::collect::Loaded;
    use crate::model::SnapshotSeries;

    /// An item of `sg-NUMBER`, opened to one port; of no port, it is deleted.
    fn item(number: u32, second: i64, port: Option<u16>, status: &str) -> Value {
        let status = if port.is_some() {
            status
        } else {
            "ResourceDeleted"
        };
        json!({"resourceType": "AWS::EC2::SecurityGroup", "resourceId": format!("sg-{number}"),
            "configurationItemCaptureTime": Timestamp(second).to_string(),
            "configurationItemStatus": status,
            "configuration": port.map(|port| json!({"groupId": format!("sg-{number}"),
                "ipPermissions": [{"ipProtocol": "tcp", "fromPort": port, "toPort": port,
                    "ipv4Ranges": [{"cidrIp": "10.0.0.0/8"}]}]}))})
    }

    fn interface(second: i64, group: &str) -> Value {
        json!({"resourceType": "AWS::EC2::NetworkInterface", "resourceId": "eni-1",
            "configurationItemCaptureTime": Timestamp(second).to_string(),
            "configurationItemStatus": "OK",
            "configuration": {"networkInterfaceId": "eni-1", "groups": [{"groupId": group}]}})
    }

    fn load(items: &[Value]) -> Loaded {
        let mut collector = Collector::default();
        let text = json!({"configurationItems": items}).to_string();
        collector.add("a.json", text.as_bytes()).unwrap();
        collector.finish(None).unwrap()
    }

    fn series(loaded: Loaded) -> SnapshotSeries {
        let mut states = loaded.earlier;
        states.push(loaded.snapshot);
        SnapshotSeries::new(states).unwrap()
    }

    fn ports(snapshot: &Snapshot) -> Vec<(String, u16)> {
        let port = |group: &SecurityGroup| group.rules[0].transport.service().from();
        let groups = snapshot.groups.values();
        groups
            .map(|group| (group.id.to_string(), port(group)))
            .collect()
    }

    #[test]
    fn a_state_shares_what_did_not_change() {
        let items = [
            item(1, 100, Some(22), "OK"),
            interface(200, "sg-1"),
            interface(300, "sg-2"),
        ];
        let states = load(&items).earlier;
        let last = states.last().unwrap();
        let before = &states[states.len() - 2];
        assert!(Arc::ptr_eq(&before.groups, &last.groups));
        assert!(before.guessed.enis.len() == 1 && last.guessed.enis.is_empty());
    }

    #[test]
    fn what_was_discovered_was_not_there_before_and_what_was_not_is_guessed() {
        let items = [
            item(1, 100, Some(22), "OK"),
            item(2, 200, Some(23), "ResourceDiscovered"),
            item(2, 300, None, ""),
        ];
        let loaded = load(&items);
        let shown: Vec<_> = loaded.earlier.iter().map(ports).collect();
        let (one, two) = (("sg-1".to_owned(), 22), ("sg-2".to_owned(), 23));
        assert_eq!(
            shown,
            [vec![one.clone()], vec![one.clone()], vec![one.clone(), two]]
        );
        assert_eq!(ports(&loaded.snapshot), [one]);
        let guessed: Vec<usize> = loaded
            .earlier
            .iter()
            .map(|s| s.guessed.groups.len())
            .collect();
        assert_eq!(guessed, [1, 0, 0]);
    }

    #[test]
    fn a_daily_record_may_have_come_any_time_before() {
        let mut later = item(1, 100_000, Some(23), "OK");
        later["recordingFrequency"] = json!("DAILY");
        let loaded = load(&[item(1, 100, Some(22), "OK"), later]);
        assert_eq!(loaded.snapshot.dating, Dating::Seen);
        assert_eq!(loaded.earlier[1].dating, Dating::Changed);
        assert!(loaded.notes.iter().any(|note| note.code == "SN142"));
    }

    #[test]
    fn of_too_many_changes_the_oldest_are_in_doubt() {
        let ports = (0..u16::try_from(MOST_STATES).unwrap() + 100).zip(1_000..);
        let items: Vec<Value> = ports
            .map(|(port, second)| item(1, second * 60, Some(port), "OK"))
            .collect();
        let loaded = load(&items);
        assert_eq!(loaded.earlier.len(), MOST_STATES);
        assert!(loaded.notes.iter().any(|note| note.code == "SN141"));
        let guessed = loaded
            .earlier
            .iter()
            .filter(|state| !state.guessed.groups.is_empty());
        // Before all, and while what is merged went on.
        assert_eq!(guessed.count(), 2);
    }

    #[test]
    fn who_comes_and_goes_by_the_thousand_leaves_the_others_known() {
        let mut items = vec![
            item(1, -90_000_000, Some(22), "OK"),
            interface(5_000, "sg-1"),
        ];
        for number in 0..2_000 {
            let second = 10_000_000 + i64::from(number) * 60;
            items.push(item(number + 10, second, Some(80), "ResourceDiscovered"));
            items.push(item(number + 10, second + 30, None, ""));
        }
        let loaded = load(&items);
        assert!(loaded.notes.iter().any(|note| note.code == "SN141"));
        let series = series(loaded);
        let at = series.index_at(Timestamp(10_000_100));
        let state = series.snapshots().nth(at).unwrap();
        let known = SgId::from("sg-1");
        assert!(state.groups.contains_key(&known) && !state.guessed.groups.contains(&known));
        // Who was there then may have been, and is gone at the end.
        let passing = SgId::from("sg-11");
        assert!(state.guessed.groups.contains(&passing));
        assert_eq!(series.latest().groups.len(), 1);
    }

    #[test]
    fn many_resources_that_never_changed_leave_changes_their_own_times() {
        let never =
            (0..2_000).map(|number| item(number + 10, i64::from(number) * 5_000, Some(80), "OK"));
        let changed = (0..50).map(|port| item(1, 10_000_000 + i64::from(port), Some(port), "OK"));
        let loaded = load(&never.chain(changed).collect::<Vec<_>>());
        assert!(loaded.notes.iter().all(|note| note.code != "SN141"));
        let series = series(loaded);
        for port in 0..50 {
            let at = series.index_at(Timestamp(10_000_000 + i64::from(port)));
            assert_eq!(
                ports(series.snapshots().nth(at).unwrap())[0],
                ("sg-1".to_owned(), port)
            );
        }
    }

    proptest! {
        #[test]
        fn the_state_of_any_time_is_the_newest_item_of_each_resource(
            told in vec((1_u32..4, 0_i64..50, proptest::option::of(1_u16..5)), 1..20),
            asked in 0_i64..60,
        ) {
            // Of items of one time the last one told is the newest.
            let items: Vec<Value> = told.iter().map(|(n, t, port)| item(*n, *t, *port, "OK")).collect();
            let series = series(load(&items));
            let now = series.snapshots().nth(series.index_at(Timestamp(asked))).unwrap();
            for number in 1..4 {
                let own = told.iter().filter(|(n, ..)| *n == number);
                let newest = own.clone().filter(|(_, t, _)| *t <= asked).max_by_key(|(_, t, _)| *t);
                let id = SgId::from(format!("sg-{number}").as_str());
                let shown = now.groups.get(&id).map(|group| group.rules[0].transport.service().from());
                match newest {
                    Some((_, _, port)) => {
                        prop_assert_eq!(shown, *port);
                        prop_assert!(!now.guessed.groups.contains(&id));
                    }
                    // Nothing is known of it yet, unless nothing ever changes.
                    None => prop_assert!(
                        shown.is_none()
                            || now.guessed.groups.contains(&id)
                            || series.snapshots().count() == 1
                    ),
                }
            }
        }
    }
}
