//! JSON of a plan, or of a state, to what it does to each group.

use serde_json::Value;

use crate::describe::error::Fault;
use crate::describe::json::Object;
use crate::describe::terraform::Delta;
use crate::describe::terraform::NewGroup;
use crate::describe::terraform::Plan;
use crate::describe::terraform::Target;
use crate::describe::terraform::Text;
use crate::describe::terraform::ranked;
use crate::describe::terraform::ranked::Talk;
use crate::describe::terraform::references::Configuration;
use crate::describe::terraform::unread;
use crate::describe::terraform::values::Found;
use crate::describe::terraform::values::Place;
use crate::describe::terraform::values::group;
use crate::describe::terraform::values::is_unknown;
use crate::model::Direction;
use crate::model::SgId;
use crate::model::VpcId;

/// Blocks of inline rules.
const BLOCKS: [(&str, Direction); 2] = [
    ("ingress", Direction::Ingress),
    ("egress", Direction::Egress),
];

/// Kinds of resources that say rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Group,
    DefaultGroup,
    /// `aws_security_group_rule`.
    Many,
    /// `aws_vpc_security_group_ingress_rule` and `_egress_rule`.
    One(Direction),
    /// `alicloud_security_group`.
    RankedGroup,
    /// `alicloud_security_group_rule`.
    Ranked,
}

fn kind(name: &str) -> Option<Kind> {
    match name {
        "aws_security_group" => Some(Kind::Group),
        "aws_default_security_group" => Some(Kind::DefaultGroup),
        "aws_security_group_rule" => Some(Kind::Many),
        "aws_vpc_security_group_ingress_rule" => Some(Kind::One(Direction::Ingress)),
        "aws_vpc_security_group_egress_rule" => Some(Kind::One(Direction::Egress)),
        "alicloud_security_group" => Some(Kind::RankedGroup),
        "alicloud_security_group_rule" => Some(Kind::Ranked),
        _ => None,
    }
}

/// What becomes of a resource.
#[derive(Clone, Copy, Debug, Default)]
struct Actions {
    goes: bool,
    comes: bool,
    stays: bool,
}

/// Reads all of it.
pub(super) fn plan(document: &Value) -> Result<Plan, Fault> {
    let top = Object::of(document).ok_or_else(|| Fault::new("a plan is a JSON object"))?;
    let mut plan = Plan::default();
    unread::of_plan(top, &mut plan)?;
    let configuration = Configuration(document.get("configuration"));
    if top.has("resource_changes") {
        for change in top.objects("resource_changes")? {
            resource_change(change, configuration, &mut plan)?;
        }
        return Ok(plan);
    }
    // A state, or a plan of an older program: what stands, not what changes.
    let values = top.object("planned_values")?.or(top.object("values")?);
    if let Some(root) = values
        .map(|values| values.object("root_module"))
        .transpose()?
        .flatten()
    {
        module(root, configuration, &mut plan)?;
    }
    Ok(plan)
}

fn resource_change(
    change: Object<'_>,
    configuration: Configuration<'_>,
    plan: &mut Plan,
) -> Result<(), Fault> {
    let Some(kind) = managed(change)? else {
        return unread::of_change(change, plan);
    };
    let address = address(change)?;
    let inner = change
        .object("change")?
        .ok_or_else(|| Fault::new("`change` is missing").of("resource", &address))?;
    let actions = actions(inner)?;
    let unknown = inner.field("after_unknown");
    let resource = Resource {
        kind,
        address: &address,
        configuration,
    };
    let before = inner.object("before")?;
    let after = inner.object("after")?;
    resource
        .change(actions, before, after, unknown, plan)
        .map_err(|fault| fault.of("resource", &address))
}

/// The kind of a resource that is managed and says rules.
fn managed(resource: Object<'_>) -> Result<Option<Kind>, Fault> {
    let managed = resource.text("mode")?.is_none_or(|mode| mode == "managed");
    let name = resource.text("type")?.unwrap_or_default();
    Ok(kind(name).filter(|_| managed))
}

pub(super) fn address(resource: Object<'_>) -> Result<String, Fault> {
    let address = resource.text("address")?;
    address
        .map(str::to_owned)
        .ok_or_else(|| Fault::new("a resource without `address`"))
}

fn actions(change: Object<'_>) -> Result<Actions, Fault> {
    let mut actions = Actions::default();
    for action in change.list("actions")? {
        match action.as_str() {
            Some("create") => actions.comes = true,
            Some("delete") => actions.goes = true,
            Some("update") => (actions.goes, actions.comes) = (true, true),
            Some("no-op") => actions.stays = true,
            // Data is read; what is forgotten stays in the cloud.
            Some("read" | "forget") => {}
            other => {
                let told = other.unwrap_or("something that is no text");
                return Err(Fault::new(format!(
                    "action `{}` is not known to this program",
                    told.escape_debug()
                )));
            }
        }
    }
    Ok(actions)
}

/// Resources of a module and of those below it, as they stand.
fn module(
    module: Object<'_>,
    configuration: Configuration<'_>,
    plan: &mut Plan,
) -> Result<(), Fault> {
    // Modules lie in modules; the depth is bounded by that of the JSON itself.
    for resource in module.objects("resources")? {
        let Some(kind) = managed(resource)? else {
            continue;
        };
        let address = address(resource)?;
        let values = resource.object("values")?;
        let place = Resource {
            kind,
            address: &address,
            configuration,
        };
        place
            .state(values, plan)
            .map_err(|fault| fault.of("resource", &address))?;
    }
    for child in module.objects("child_modules")? {
        self::module(child, configuration, plan)?;
    }
    Ok(())
}

/// A resource that says rules.
#[derive(Clone, Copy, Debug)]
struct Resource<'a> {
    kind: Kind,
    address: &'a str,
    configuration: Configuration<'a>,
}

impl Resource<'_> {
    fn change(
        self,
        actions: Actions,
        before: Option<Object<'_>>,
        after: Option<Object<'_>>,
        unknown: Option<&Value>,
        plan: &mut Plan,
    ) -> Result<(), Fault> {
        match self.kind {
            Kind::Group | Kind::DefaultGroup | Kind::RankedGroup => {
                self.group_change(actions, before, after, unknown, plan)
            }
            Kind::Many | Kind::One(_) | Kind::Ranked => {
                self.rule_change(actions, before, after, unknown, plan)
            }
        }
    }

    fn group_change(
        self,
        actions: Actions,
        before: Option<Object<'_>>,
        after: Option<Object<'_>>,
        unknown: Option<&Value>,
        plan: &mut Plan,
    ) -> Result<(), Fault> {
        let id = |values: Option<Object<'_>>| -> Result<Option<SgId>, Fault> {
            let id = values.map(|values| values.optional_id("id")).transpose()?;
            Ok(id.flatten().map(SgId::from))
        };
        let old = id(before)?;
        let to_be = id(after)?;
        let replaced = actions.goes && (!actions.comes || (to_be != old && is_new(unknown)));
        if let (true, Some(old), Kind::Group | Kind::RankedGroup) = (replaced, &old, self.kind) {
            plan.gone.push(old.clone());
        }
        if replaced && !actions.comes {
            return Ok(());
        }
        let target = if replaced || old.is_none() {
            self.target_to_be(to_be.as_ref(), after, plan)?
        } else {
            old.or(to_be).map_or(Target::Unknown, Target::Group)
        };
        let fresh = replaced || before.is_none();
        if self.kind == Kind::RankedGroup {
            let before = before.filter(|_| !fresh);
            return self.policy_change(actions, &target, [before, after], unknown, plan);
        }
        let whole = fresh && self.kind == Kind::DefaultGroup;
        for (block, direction) in BLOCKS {
            let old = if fresh { None } else { before };
            let gone = self.inline(block, old, None, &target)?;
            let mut come = self.inline(block, after, unknown, &target)?;
            let idle = !actions.goes && !actions.comes;
            let hidden = unknown.and_then(|unknown| unknown.get(block)) == Some(&Value::Bool(true));
            if hidden && self.configuration.leaves_out(self.address, block) {
                // Terraform leaves alone what the configuration does not say;
                // only a default group that it takes over it empties.
                if !whole {
                    continue;
                }
                come.unknown.clear();
            }
            plan.deltas.push(Delta {
                address: self.address.to_owned(),
                group: target.clone(),
                direction,
                whole,
                gone: gone.rules,
                come: come.rules,
                unknown: come.unknown,
                idle,
            });
        }
        Ok(())
    }

    /// What members may do of a group with ranks, where that changes.
    fn policy_change(
        self,
        actions: Actions,
        target: &Target,
        [before, after]: [Option<Object<'_>>; 2],
        unknown: Option<&Value>,
        plan: &mut Plan,
    ) -> Result<(), Fault> {
        if !actions.comes {
            return Ok(());
        }
        let keys = ["inner_access_policy", "inner_access"];
        let hidden = |key: &&str| {
            let said = after.is_some_and(|after| after.has(key));
            !said && is_unknown(unknown.and_then(|unknown| unknown.get(*key)))
        };
        // What is computed for a new group is the default; of one that stands it
        // may be anything.
        let stands =
            matches!(target, Target::Group(id) if plan.new.iter().all(|new| new.id != *id));
        match (target, ranked::talk(before, after)?) {
            (Target::Group(_), Talk::Same) if !(stands && keys.iter().any(hidden)) => {}
            (Target::Group(_), Talk::Will(_)) if !stands => {}
            (Target::Group(id), Talk::Will(talk)) => plan.members_talk.push((id.clone(), talk)),
            (Target::Group(_) | Target::DefaultOf(..) | Target::Unknown, _) => {
                let what = "its intra-group policy is known after apply, or contradicts itself";
                plan.unread.push((self.address.to_owned(), what.to_owned()));
            }
        }
        Ok(())
    }

    /// The group of a resource that has no id yet.
    fn target_to_be(
        self,
        id: Option<&SgId>,
        after: Option<Object<'_>>,
        plan: &mut Plan,
    ) -> Result<Target, Fault> {
        if let Some(id) = id {
            return Ok(Target::Group(id.clone()));
        }
        let vpc = after.map(|after| after.optional_id("vpc_id")).transpose()?;
        let vpc_id = vpc.flatten().map(VpcId::from);
        if self.kind == Kind::DefaultGroup {
            let id = SgId::from(self.address);
            return Ok(vpc_id.map_or(Target::Unknown, |vpc| Target::DefaultOf(vpc, id)));
        }
        let name = after.map(|after| after.words("name")).transpose()?;
        let id = SgId::from(self.address);
        let policy = after
            .filter(|_| self.kind == Kind::RankedGroup)
            .map(ranked::policy);
        plan.new.push(NewGroup {
            id: id.clone(),
            name: name.unwrap_or_default(),
            vpc_id,
            policy: policy.transpose()?.unwrap_or_default(),
        });
        Ok(Target::Group(id))
    }

    fn inline(
        self,
        block: &str,
        values: Option<Object<'_>>,
        unknown: Option<&Value>,
        target: &Target,
    ) -> Result<Found, Fault> {
        let mut found = Found::default();
        let Some(values) = values else {
            return Ok(found);
        };
        let place = Place {
            address: self.address,
            block: Some(block),
            own: own(target),
            configuration: self.configuration,
        };
        let hidden = unknown.and_then(|unknown| unknown.get(block));
        if hidden == Some(&Value::Bool(true)) {
            found
                .unknown
                .push(format!("all `{block}` rules are known after apply"));
        }
        for (at, rule) in values.objects(block)?.into_iter().enumerate() {
            place.many(rule, hidden.and_then(|hidden| hidden.get(at)), &mut found)?;
        }
        Ok(found)
    }

    fn rule_change(
        self,
        actions: Actions,
        before: Option<Object<'_>>,
        after: Option<Object<'_>>,
        unknown: Option<&Value>,
        plan: &mut Plan,
    ) -> Result<(), Fault> {
        let idle = actions.stays;
        if (actions.goes || idle) && before.is_some() {
            let (group, direction, found) = self.rule(before, None)?;
            plan.deltas.push(Delta {
                address: self.address.to_owned(),
                group,
                direction,
                whole: false,
                gone: found.rules.clone(),
                come: if idle { found.rules } else { Vec::new() },
                unknown: Vec::new(),
                idle,
            });
        }
        if actions.comes {
            let (group, direction, found) = self.rule(after, unknown)?;
            plan.deltas.push(Delta {
                address: self.address.to_owned(),
                group,
                direction,
                whole: false,
                gone: Vec::new(),
                come: found.rules,
                unknown: found.unknown,
                idle: false,
            });
        }
        Ok(())
    }

    fn rule(
        self,
        values: Option<Object<'_>>,
        unknown: Option<&Value>,
    ) -> Result<(Target, Direction, Found), Fault> {
        let values = values.ok_or_else(|| Fault::new("its values are missing"))?;
        let key = "security_group_id";
        let id = values.text(key)?.map(|text| group(key, text)).transpose()?;
        let target = id.or_else(|| {
            let hidden = is_unknown(unknown.and_then(|unknown| unknown.get(key)));
            let address = self.configuration.group(self.address, None, key);
            address
                .filter(|_| hidden)
                .map(|address| SgId::from(address.as_str()))
        });
        let target = target.map_or(Target::Unknown, Target::Group);
        let place = Place {
            address: self.address,
            block: None,
            own: own(&target),
            configuration: self.configuration,
        };
        let mut found = Found::default();
        let direction = match self.kind {
            Kind::One(direction) => {
                place.one(values, unknown, &mut found)?;
                direction
            }
            Kind::Ranked => {
                let direction = direction(values)?;
                ranked::one(place, direction, values, unknown, &mut found)?;
                direction
            }
            Kind::Many | Kind::Group | Kind::DefaultGroup | Kind::RankedGroup => {
                place.many(values, unknown, &mut found)?;
                direction(values)?
            }
        };
        Ok((target, direction, found))
    }

    /// A resource as it stands, in a state.
    fn state(self, values: Option<Object<'_>>, plan: &mut Plan) -> Result<(), Fault> {
        match self.kind {
            Kind::RankedGroup => {
                let id = values.map(|values| values.optional_id("id")).transpose()?;
                let talk = values.map(ranked::members_talk).transpose()?.flatten();
                let group = id.flatten().map(SgId::from);
                plan.members_talk.extend(group.zip(talk));
            }
            Kind::Group | Kind::DefaultGroup => {
                let id = values.map(|values| values.optional_id("id")).transpose()?;
                let Some(id) = id.flatten().map(SgId::from) else {
                    return Ok(());
                };
                let target = Target::Group(id);
                for (block, direction) in BLOCKS {
                    let come = self.inline(block, values, None, &target)?;
                    plan.deltas.push(delta(
                        self.address,
                        target.clone(),
                        direction,
                        true,
                        come.rules,
                    ));
                }
            }
            Kind::Many | Kind::One(_) | Kind::Ranked => {
                let (target, direction, found) = self.rule(values, None)?;
                plan.deltas
                    .push(delta(self.address, target, direction, false, found.rules));
            }
        }
        Ok(())
    }
}

fn delta(
    address: &str,
    group: Target,
    direction: Direction,
    whole: bool,
    come: Vec<Text>,
) -> Delta {
    Delta {
        address: address.to_owned(),
        group,
        direction,
        whole,
        gone: Vec::new(),
        come,
        unknown: Vec::new(),
        idle: false,
    }
}

fn direction(values: Object<'_>) -> Result<Direction, Fault> {
    match values.text("type")? {
        Some("ingress") => Ok(Direction::Ingress),
        Some("egress") => Ok(Direction::Egress),
        Some(_) | None => Err(Fault::new("`type` is neither `ingress` nor `egress`")),
    }
}

fn own(target: &Target) -> Option<&SgId> {
    match target {
        Target::Group(id) | Target::DefaultOf(_, id) => Some(id),
        Target::Unknown => None,
    }
}

/// Whether the id of a group is known after the apply alone.
fn is_new(unknown: Option<&Value>) -> bool {
    is_unknown(unknown.and_then(|unknown| unknown.get("id")))
}
