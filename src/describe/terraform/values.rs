//! Rules of a resource's values, with what of them is known only after the
//! apply.

use serde_json::Value;

use crate::describe::aws::transport::Bounds;
use crate::describe::aws::transport::protocol;
use crate::describe::aws::transport::transport;
use crate::describe::error::Fault;
use crate::describe::json::Object;
use crate::describe::json::checked_id;
use crate::describe::json::cidr;
use crate::describe::terraform::Text;
use crate::describe::terraform::references::Configuration;
use crate::model::Effect;
use crate::model::Peer;
use crate::model::PrefixListId;
use crate::model::SgId;
use crate::model::Transport;

/// Keys of an older rule that name prefixes.
const PREFIXES: [&str; 2] = ["cidr_blocks", "ipv6_cidr_blocks"];

/// Where values come from, and what is to be known of the place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) address: &'a str,
    /// The nested block, for inline rules.
    pub(super) block: Option<&'a str>,
    /// The group itself, which `self` means; unknown where it is not said.
    pub(super) own: Option<&'a SgId>,
    pub(super) configuration: Configuration<'a>,
}

/// Rules, and those that are not known, in words.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) rules: Vec<Text>,
    pub(super) unknown: Vec<String>,
}

/// Whether anything in a value of `after_unknown` is unknown.
pub(super) fn is_unknown(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::Array(items)) => items.iter().any(|item| is_unknown(Some(item))),
        Some(Value::Object(fields)) => fields.values().any(|field| is_unknown(Some(field))),
        Some(Value::Null | Value::Number(_) | Value::String(_)) | None => false,
    }
}

impl Place<'_> {
    /// Rules of inline blocks and of `aws_security_group_rule`, which say
    /// many peers at once.
    pub(super) fn many(
        self,
        values: Object<'_>,
        unknown: Option<&Value>,
        found: &mut Found,
    ) -> Result<(), Fault> {
        let part = |key: &str| unknown.and_then(|unknown| unknown.get(key));
        let Some(transport) = matched(values, unknown, "protocol", found)? else {
            return Ok(());
        };
        let description = values.words("description")?;
        let mut peers: Vec<Peer> = Vec::new();
        for key in PREFIXES {
            for text in texts(values, key)? {
                peers.push(Peer::Cidr(cidr(text)?));
            }
            note_unknown(transport, key, part(key), found);
        }
        for text in texts(values, "prefix_list_ids")? {
            let id = checked_id("prefix_list_ids", text)?;
            peers.push(Peer::PrefixList(PrefixListId::from(id)));
        }
        note_unknown(transport, "prefix_list_ids", part("prefix_list_ids"), found);
        for key in ["security_groups", "source_security_group_id"] {
            for text in texts(values, key)? {
                peers.push(Peer::SecurityGroup(group(key, text)?));
            }
            peers.extend(self.to_be(transport, key, part(key), found));
        }
        if values.flag("self")? == Some(true) {
            match self.own {
                Some(own) => peers.push(Peer::SecurityGroup(own.clone())),
                None => found
                    .unknown
                    .push(format!("{transport} from a group to be")),
            }
        }
        let rules = peers.into_iter().map(|peer| Text {
            transport,
            peer,
            effect: Effect::Allow,
            priority: None,
            description: description.clone(),
        });
        found.rules.extend(rules);
        Ok(())
    }

    /// The rule of `aws_vpc_security_group_ingress_rule` and `_egress_rule`.
    pub(super) fn one(
        self,
        values: Object<'_>,
        unknown: Option<&Value>,
        found: &mut Found,
    ) -> Result<(), Fault> {
        let part = |key: &str| unknown.and_then(|unknown| unknown.get(key));
        let Some(transport) = matched(values, unknown, "ip_protocol", found)? else {
            return Ok(());
        };
        let mut peers: Vec<Peer> = Vec::new();
        for key in ["cidr_ipv4", "cidr_ipv6"] {
            peers.extend(values.cidr(key)?.map(Peer::Cidr));
            note_unknown(transport, key, part(key), found);
        }
        let list = values.optional_id("prefix_list_id")?;
        peers.extend(list.map(|id| Peer::PrefixList(PrefixListId::from(id))));
        note_unknown(transport, "prefix_list_id", part("prefix_list_id"), found);
        let key = "referenced_security_group_id";
        if let Some(text) = values.text(key)? {
            peers.push(Peer::SecurityGroup(group(key, text)?));
        }
        peers.extend(self.to_be(transport, key, part(key), found));
        if peers.is_empty() && found.unknown.is_empty() {
            return Err(Fault::new("a rule without a peer"));
        }
        let description = values.words("description")?;
        let rules = peers.into_iter().map(|peer| Text {
            transport,
            peer,
            effect: Effect::Allow,
            priority: None,
            description: description.clone(),
        });
        found.rules.extend(rules);
        Ok(())
    }

    /// A reference to a group that is yet to be made.
    fn to_be(
        self,
        transport: Transport,
        key: &str,
        unknown: Option<&Value>,
        found: &mut Found,
    ) -> Option<Peer> {
        let left_out = self.block.is_none() && self.configuration.leaves_out(self.address, key);
        if left_out || !is_unknown(unknown) {
            return None;
        }
        let address = self.configuration.group(self.address, self.block, key);
        if address.is_none() {
            note_unknown(transport, key, unknown, found);
        }
        address.map(|address| Peer::SecurityGroup(SgId::from(address.as_str())))
    }
}

/// What a rule matches; `None`, and noted, where it is not known.
fn matched(
    values: Object<'_>,
    unknown: Option<&Value>,
    key: &str,
    found: &mut Found,
) -> Result<Option<Transport>, Fault> {
    let keys = [key, "from_port", "to_port"];
    let hidden = keys
        .iter()
        .any(|key| is_unknown(unknown.and_then(|unknown| unknown.get(*key))));
    if hidden {
        found
            .unknown
            .push("protocol or ports known after apply".to_owned());
        return Ok(None);
    }
    let protocol = protocol(values, key)?;
    let bounds = Bounds::read(values, "from_port", "to_port")?;
    transport(protocol, bounds).map(Some)
}

fn note_unknown(transport: Transport, key: &str, unknown: Option<&Value>, found: &mut Found) {
    if is_unknown(unknown) {
        found
            .unknown
            .push(format!("{transport} with `{key}` known after apply"));
    }
}

/// A group id, also as `ACCOUNT/sg-…`.
pub(super) fn group(key: &str, text: &str) -> Result<SgId, Fault> {
    let id = text.rsplit_once('/').map_or(text, |(_account, id)| id);
    checked_id(key, id).map(SgId::from)
}

/// A list of texts, or one text; unknown ones are null and left out.
fn texts<'a>(values: Object<'a>, key: &str) -> Result<Vec<&'a str>, Fault> {
    let wrong = || Fault::new(format!("`{key}` holds something else than text"));
    match values.field(key) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text.as_str()]
            .into_iter()
            .filter(|t| !t.is_empty())
            .collect()),
        Some(Value::Array(items)) => items
            .iter()
            .filter(|item| !item.is_null())
            .map(|item| item.as_str().ok_or_else(wrong))
            .collect(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => Err(wrong()),
    }
}
