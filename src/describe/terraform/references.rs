//! What an id that is known after the apply will be: the group resource that
//! the configuration refers to at that place, where it is one alone.

use std::collections::BTreeSet;

use serde_json::Value;

/// The configuration that a plan was made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Configuration<'a>(pub(super) Option<&'a Value>);

/// Kinds of resources that have a group's id.
const GROUPS: [&str; 3] = [
    "aws_security_group.",
    "aws_default_security_group.",
    "alicloud_security_group.",
];

impl<'a> Configuration<'a> {
    /// What the configuration says of a resource.
    pub(super) fn expressions(self, address: &str) -> Option<&'a Value> {
        let (modules, resource) = parted(address);
        let mut module = self.0?.get("root_module")?;
        for name in &modules {
            let name = unindexed(name);
            module = module.get("module_calls")?.get(name)?.get("module")?;
        }
        let plain = unindexed(resource);
        let resources = module.get("resources")?.as_array()?;
        let is = |one: &&Value| one.get("address").and_then(Value::as_str) == Some(plain);
        resources.iter().find(is)?.get("expressions")
    }

    /// Whether a resource is known to leave a key to the provider: its unknown
    /// value is then none that anybody asked for.
    pub(super) fn leaves_out(self, address: &str, key: &str) -> bool {
        let expressions = self.expressions(address);
        expressions.is_some_and(|expressions| expressions.get(key).is_none())
    }

    /// The address of the one group that `key` of a resource refers to.
    /// `block` names the nested block that holds the key.
    pub(super) fn group(self, address: &str, block: Option<&str>, key: &str) -> Option<String> {
        let expressions = self.expressions(address)?;
        let (_, resource) = parted(address);
        let mut found = BTreeSet::new();
        match block.map(|block| expressions.get(block)) {
            None => collect(expressions.get(key)?, &mut found),
            Some(Some(Value::Array(blocks))) => {
                for one in blocks {
                    if let Some(value) = one.get(key) {
                        collect(value, &mut found);
                    }
                }
            }
            // `ingress = [...]`: whatever it refers to.
            Some(Some(value)) => collect(value, &mut found),
            Some(None) => {}
        }
        let mut found = found.into_iter();
        let only = found.next().filter(|_| found.next().is_none())?;
        let prefix = address.strip_suffix(resource).unwrap_or_default();
        Some(format!("{prefix}{only}"))
    }
}

/// Group resources among the references of an expression, by local address.
fn collect(value: &Value, found: &mut BTreeSet<String>) {
    let references = value.get("references").and_then(Value::as_array);
    for reference in references.into_iter().flatten().filter_map(Value::as_str) {
        let Some(kind) = GROUPS.iter().find(|kind| reference.starts_with(**kind)) else {
            continue;
        };
        let rest = reference.strip_prefix(kind).unwrap_or_default();
        let name = rest.split('.').next().unwrap_or_default();
        // `aws_security_group.a` stands beside `aws_security_group.a[0].id`.
        let own = format!("{kind}{name}");
        let shorter = |other: &String| own.starts_with(&format!("{other}["));
        found.retain(|other| !shorter(other));
        let longer = |other: &String| other.starts_with(&format!("{own}["));
        if !found.iter().any(longer) {
            found.insert(own);
        }
    }
}

/// `module.a[0].module.b.aws_x.y` -> `["a[0]", "b"]`, `aws_x.y`.
fn parted(address: &str) -> (Vec<&str>, &str) {
    let mut modules = Vec::new();
    let mut rest = address;
    while let Some(inner) = rest.strip_prefix("module.") {
        let Some(end) = end_of_name(inner) else { break };
        let (name, tail) = inner.split_at_checked(end).unwrap_or((inner, ""));
        modules.push(name);
        rest = tail.strip_prefix('.').unwrap_or(tail);
    }
    (modules, rest)
}

/// Where a name with its index ends: at the first dot outside brackets. An
/// index may be text with dots and brackets of its own.
fn end_of_name(text: &str) -> Option<usize> {
    let (mut inside, mut quoted, mut escaped) = (false, false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '[' if !quoted => inside = true,
            ']' if !quoted => inside = false,
            '.' if !inside && !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// A name without its index.
fn unindexed(name: &str) -> &str {
    name.split('[').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn modules_and_indexes_are_parted() {
        assert_eq!(parted("aws_x.y"), (vec![], "aws_x.y"));
        assert_eq!(
            parted(r#"module.a["k.[x]"].module.b.aws_x.y[0]"#),
            (vec![r#"a["k.[x]"]"#, "b"], "aws_x.y[0]")
        );
    }

    #[test]
    fn the_one_group_referred_to_is_found_in_its_module() {
        let configuration = json!({"root_module": {"module_calls": {"net": {"module": {"resources": [{
            "address": "aws_vpc_security_group_ingress_rule.r",
            "expressions": {
                "referenced_security_group_id":
                    {"references": ["aws_security_group.web[0].id", "aws_security_group.web[0]", "aws_security_group.web"]},
                "security_group_id":
                    {"references": ["aws_security_group.a.id", "aws_security_group.b.id"]},
            },
        }]}}}}});
        let configuration = Configuration(Some(&configuration));
        let address = r#"module.net["x"].aws_vpc_security_group_ingress_rule.r[1]"#;
        assert_eq!(
            configuration.group(address, None, "referenced_security_group_id"),
            Some(r#"module.net["x"].aws_security_group.web[0]"#.to_owned())
        );
        assert_eq!(
            configuration.group(address, None, "security_group_id"),
            None
        );
    }
}
