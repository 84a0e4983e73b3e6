//! XML of the EC2 API to the JSON that `aws ec2 describe-…` prints of it.
//!
//! The XML says neither what is a number nor what is an empty list, and many
//! names differ. The table in `shapes.txt` says it, so that both ways to take a
//! snapshot give the same files. What the table does not name is left out, as
//! the CLI does.

use roxmltree::Document;
use roxmltree::Node;

use crate::cloud::json::Json;
use crate::collections::HashMap;

const TABLE: &str = include_str!("shapes.txt");

/// The structures by name.
#[derive(Debug)]
pub(super) struct Shapes(HashMap<&'static str, Vec<Member>>);

#[derive(Debug)]
struct Member {
    json: &'static str,
    xml: &'static str,
    kind: &'static str,
}

/// One page of an answer.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Its lists.
    pub(super) lists: Vec<(&'static str, Vec<Json>)>,
    /// What to ask for the page after it.
    pub(super) next: Option<String>,
}

/// The member that says how to go on; the CLI does not print it once it has
/// all pages.
const NEXT: &str = "NextToken";

impl Shapes {
    /// Reads the table.
    pub(super) fn new() -> Shapes {
        let mut shapes: HashMap<&'static str, Vec<Member>> = HashMap::new();
        let mut name = "";
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            match line.strip_prefix("  ") {
                None => name = line,
                Some(row) => shapes.entry(name).or_default().extend(member(row)),
            }
        }
        Shapes(shapes)
    }

    /// Reads one page of the answer to a call.
    pub(super) fn page(&self, call: &str, xml: &str) -> Result<Page, String> {
        let document = Document::parse(xml).map_err(|error| format!("no XML: {error}"))?;
        let root = document.root_element();
        if root.tag_name().name() != format!("{call}Response") {
            return Err(format!(
                "`{}` is no answer to {call}",
                root.tag_name().name()
            ));
        }
        let mut page = Page::default();
        for member in self.members(&format!("{call}Result"))? {
            let Some(node) = child(root, member.xml) else {
                continue;
            };
            match self.read(node, member.kind)? {
                Json::List(items) => page.lists.push((member.json, items)),
                Json::Text(text) if member.json == NEXT && !text.is_empty() => {
                    page.next = Some(text);
                }
                Json::Text(_) | Json::Number(_) | Json::Bool(_) | Json::Object(_) => {}
            }
        }
        Ok(page)
    }

    /// Whether a call answers with a list of this name.
    #[cfg(test)]
    pub(super) fn has_list(&self, call: &str, list: &str) -> bool {
        let mut members = self.members(&format!("{call}Result")).unwrap().iter();
        members.any(|member| member.json == list && member.kind.starts_with('['))
    }

    fn members(&self, shape: &str) -> Result<&[Member], String> {
        let members = self.0.get(shape).map(Vec::as_slice);
        members.ok_or_else(|| format!("`{shape}` is in no table"))
    }

    fn read(&self, node: Node<'_, '_>, kind: &str) -> Result<Json, String> {
        if let Some(kind) = kind
            .strip_prefix('[')
            .and_then(|kind| kind.strip_suffix(']'))
        {
            let items = node
                .children()
                .filter(|node| node.tag_name().name() == "item");
            let items: Result<Vec<Json>, String> =
                items.map(|item| self.read(item, kind)).collect();
            return items.map(Json::List);
        }
        let text = || node.text().unwrap_or_default();
        match kind {
            "string" => Ok(Json::Text(text().to_owned())),
            "number" => match text().trim().parse() {
                Ok(number) => Ok(Json::Number(number)),
                Err(_) => Err(format!("`{}` is no number", node.tag_name().name())),
            },
            "bool" => Ok(Json::Bool(text().trim() == "true")),
            shape => self.structure(node, shape),
        }
    }

    fn structure(&self, node: Node<'_, '_>, shape: &str) -> Result<Json, String> {
        let mut members = Vec::new();
        for member in self.members(shape)? {
            if let Some(node) = child(node, member.xml) {
                members.push((member.json, self.read(node, member.kind)?));
            }
        }
        Ok(Json::Object(members))
    }
}

fn member(row: &'static str) -> Option<Member> {
    let mut words = row.split(' ');
    Some(Member {
        json: words.next()?,
        xml: words.next()?,
        kind: words.next()?,
    })
}

/// The child of this name, in whatever namespace.
fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children()
        .find(|child| child.is_element() && child.tag_name().name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<DescribeSecurityGroupsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
  <requestId>1</requestId>
  <securityGroupInfo>
    <item>
      <ownerId>111122223333</ownerId>
      <groupId>sg-0a</groupId>
      <groupDescription/>
      <unheardOf>x</unheardOf>
      <ipPermissions>
        <item>
          <ipProtocol>tcp</ipProtocol><fromPort>443</fromPort><toPort>-1</toPort>
          <groups/>
          <ipRanges><item><cidrIp>10.0.0.0/8</cidrIp><description>a &amp; "b"</description></item></ipRanges>
        </item>
      </ipPermissions>
    </item>
  </securityGroupInfo>
  <nextToken>more</nextToken>
</DescribeSecurityGroupsResponse>"#;

    #[test]
    fn xml_becomes_what_the_cli_prints() {
        let page = Shapes::new()
            .page("DescribeSecurityGroups", ANSWER)
            .unwrap();
        assert_eq!(page.next.as_deref(), Some("more"));
        let [(name, groups)] = &page.lists[..] else {
            panic!("{page:?}");
        };
        assert_eq!(*name, "SecurityGroups");
        let expected = r#"{
    "GroupId": "sg-0a",
    "OwnerId": "111122223333",
    "Description": "",
    "IpPermissions": [
        {
            "IpProtocol": "tcp",
            "FromPort": 443,
            "ToPort": -1,
            "UserIdGroupPairs": [],
            "IpRanges": [
                {
                    "Description": "a & \"b\"",
                    "CidrIp": "10.0.0.0/8"
                }
            ]
        }
    ]
}"#;
        assert_eq!(groups[0].to_string(), expected);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let shapes = Shapes::new();
        for xml in [
            "",
            "<a>",
            "<DescribeVpcsResponse/>",
            "<!DOCTYPE a><DescribeSecurityGroupsResponse/>",
        ] {
            assert!(shapes.page("DescribeSecurityGroups", xml).is_err(), "{xml}");
        }
        let odd = ANSWER.replace("443", "many");
        assert!(shapes.page("DescribeSecurityGroups", &odd).is_err());
    }

    #[test]
    fn every_kind_in_the_table_is_known() {
        let Shapes(shapes) = Shapes::new();
        for (name, members) in &shapes {
            assert!(!members.is_empty(), "{name}");
            for member in members {
                let kind = member.kind.trim_matches(['[', ']']);
                let plain = matches!(kind, "string" | "number" | "bool");
                assert!(plain || shapes.contains_key(kind), "{name} {member:?}");
            }
        }
        assert!(shapes.len() > 50, "{}", shapes.len());
    }
}
