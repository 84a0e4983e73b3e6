//! The calls, their pages, and the accounts and Regions in which they are made.
//! All of them only read.

use std::collections::BTreeSet;
use std::sync::Arc;

use roxmltree::Document;
use tokio::task::JoinSet;

use crate::cloud::access::Access;
use crate::cloud::error::CloudError;
use crate::cloud::folder::Folder;
use crate::cloud::json::Json;
use crate::cloud::patience::Fault;
use crate::cloud::query;
use crate::cloud::session::Session;
use crate::cloud::shapes::Shapes;
use crate::cloud::snapshot::Missing;
use crate::cloud::snapshot::Order;
use crate::cloud::snapshot::Taken;

/// One reading call.
#[derive(Clone, Copy, Debug)]
struct Call {
    /// As the API spells it.
    action: &'static str,
    /// Its list, as JSON names it.
    list: &'static str,
    /// The file that its answer goes to.
    file: &'static str,
    /// Most items of a page.
    page: &'static str,
    /// Whether a snapshot is none without it.
    needed: bool,
}

const fn call(action: &'static str, list: &'static str, file: &'static str) -> Call {
    Call {
        action,
        list,
        file,
        page: "1000",
        needed: false,
    }
}

/// What makes a snapshot. README, "The IAM policy", names the same calls.
const CALLS: [Call; 10] = [
    Call {
        needed: true,
        ..call(
            "DescribeSecurityGroups",
            "SecurityGroups",
            "security-groups",
        )
    },
    Call {
        needed: true,
        ..call(
            "DescribeNetworkInterfaces",
            "NetworkInterfaces",
            "network-interfaces",
        )
    },
    call(
        "DescribeSecurityGroupRules",
        "SecurityGroupRules",
        "security-group-rules",
    ),
    call("DescribeNetworkAcls", "NetworkAcls", "network-acls"),
    call("DescribeSubnets", "Subnets", "subnets"),
    call("DescribeVpcs", "Vpcs", "vpcs"),
    Call {
        page: "100",
        ..call(LISTS, "PrefixLists", "managed-prefix-lists")
    },
    call("DescribeFlowLogs", "FlowLogs", "flow-logs"),
    call(
        "DescribeSecurityGroupVpcAssociations",
        "SecurityGroupVpcAssociations",
        "security-group-vpc-associations",
    ),
    call(
        "DescribeVpcPeeringConnections",
        "VpcPeeringConnections",
        "vpc-peering-connections",
    ),
];

/// The call whose answer names the lists of which entries are asked.
const LISTS: &str = "DescribeManagedPrefixLists";

/// The call that gives one list's entries.
const ENTRIES: Call = Call {
    page: "100",
    ..call(
        "GetManagedPrefixListEntries",
        "Entries",
        "prefix-list-entries",
    )
};

/// Pages of one answer, beyond which it is held to go round in circles.
const MOST_PAGES: usize = 100_000;

/// Takes the snapshot.
pub(super) fn take(order: &Order) -> Result<Taken, CloudError> {
    let mut folder = Folder::begin(&order.out, order.at)?;
    let mut missing = Vec::new();
    let mut places = BTreeSet::new();
    // None is the one of the environment.
    let nameless = order.profiles.is_empty().then_some(None);
    for profile in order.profiles.iter().map(Some).chain(nameless) {
        let session = Arc::new(Session::open(&Access {
            profile: profile.cloned(),
            region: order.regions.first().cloned(),
            ..order.access.clone()
        })?);
        for region in regions(order, &session)? {
            let place = Place::new(&session, &region)?;
            if places.insert(place.to_string()) {
                place.write(&mut folder, &mut missing)?;
            }
        }
    }
    let files = folder.files();
    Ok(Taken {
        folder: folder.finish()?,
        places: places.len(),
        files,
        missing,
    })
}

fn regions(order: &Order, session: &Session) -> Result<Vec<String>, CloudError> {
    if !order.regions.is_empty() {
        return Ok(order.regions.clone());
    }
    let own = session.config().region().ok_or(CloudError::NoRegion)?;
    Ok(vec![own.as_ref().to_owned()])
}

/// One account in one Region.
struct Place {
    asker: Asker,
    account: String,
}

/// Asks in one Region.
#[derive(Clone)]
struct Asker {
    session: Arc<Session>,
    shapes: Arc<Shapes>,
    region: String,
}

/// What a call gave, by the file that it goes to.
type Answer = (Call, String, Result<Json, Fault>);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.account, self.asker.region)
    }
}

impl Place {
    /// Asks who one is there.
    fn new(session: &Arc<Session>, region: &str) -> Result<Place, CloudError> {
        let asker = Asker {
            session: Arc::clone(session),
            shapes: Arc::new(Shapes::new()),
            region: region.to_owned(),
        };
        let account = session.wait(asker.account());
        let account = account.unwrap_or_else(|| Err(Fault::lasting("the run has ended")));
        let account =
            account.map_err(|fault| refused("sts get-caller-identity", region, &fault))?;
        Ok(Place { asker, account })
    }

    fn write(&self, folder: &mut Folder, missing: &mut Vec<Missing>) -> Result<(), CloudError> {
        let answers = self.asker.session.wait(self.asker.clone().all());
        for (call, name, answer) in answers.unwrap_or_default() {
            match answer {
                Ok(json) => folder.write(&self.account, &self.asker.region, &name, &json)?,
                Err(fault) if call.needed => {
                    return Err(refused(&cli_name(call.action), &self.to_string(), &fault));
                }
                Err(fault) => missing.push(Missing {
                    place: self.to_string(),
                    call: cli_name(call.action),
                    unknown_there: is_unknown(&fault),
                    reason: fault.text,
                }),
            }
        }
        Ok(())
    }
}

impl Asker {
    async fn account(&self) -> Result<String, Fault> {
        let call = "GetCallerIdentity";
        let xml = query::ask(&self.session, query::STS, &self.region, call, &[]).await?;
        let document = Document::parse(&xml).map_err(|error| Fault::lasting(error.to_string()))?;
        let mut nodes = document.descendants();
        let node = nodes.find(|node| node.is_element() && node.tag_name().name() == "Account");
        let account = node.and_then(|node| node.text()).unwrap_or_default();
        // It becomes the name of a folder.
        let plain = !account.is_empty() && account.bytes().all(|byte| byte.is_ascii_digit());
        plain
            .then(|| account.to_owned())
            .ok_or_else(|| Fault::lasting("the answer names no account"))
    }

    /// All calls at once; then the entries of each list that was found.
    async fn all(self) -> Vec<Answer> {
        let mut answers = self.each(CALLS.map(|call| (call, None)).to_vec()).await;
        let lists = answers.iter().filter(|(call, ..)| call.action == LISTS);
        let ids: Vec<String> = lists
            .filter_map(|(_, _, answer)| answer.as_ref().ok())
            .flat_map(|json| json.texts(ENTRIES_OF))
            .filter(|id| is_list_id(id))
            .collect();
        let entries = ids.into_iter().map(|id| (ENTRIES, Some(id)));
        answers.extend(self.each(entries.collect()).await);
        answers.sort_by(|(_, one, _), (_, other, _)| one.cmp(other));
        answers
    }

    /// Some calls, side by side.
    async fn each(&self, calls: Vec<(Call, Option<String>)>) -> Vec<Answer> {
        let mut running = JoinSet::new();
        let mut answers = Vec::new();
        for (call, list) in calls {
            if running.len() >= AT_ONCE
                && let Some(Ok(answer)) = running.join_next().await
            {
                answers.push(answer);
            }
            let own = self.clone();
            running.spawn(async move {
                let name = match &list {
                    Some(id) => format!("{}-{id}.json", call.file),
                    None => format!("{}.json", call.file),
                };
                (call, name, own.pages(call, list.as_deref()).await)
            });
        }
        while let Some(answer) = running.join_next().await {
            answers.extend(answer);
        }
        answers
    }

    /// All pages of one answer, as one.
    async fn pages(&self, call: Call, list: Option<&str>) -> Result<Json, Fault> {
        let (mut items, mut next) = (Vec::new(), None::<String>);
        for _ in 0..MOST_PAGES {
            let mut parameters = vec![("MaxResults", call.page)];
            parameters.extend(list.map(|id| (ENTRIES_OF, id)));
            parameters.extend(next.as_deref().map(|token| ("NextToken", token)));
            let (service, region) = (query::EC2, &self.region);
            let xml = query::ask(&self.session, service, region, call.action, &parameters).await?;
            let page = self
                .shapes
                .page(call.action, &xml)
                .map_err(Fault::lasting)?;
            let lists = page
                .lists
                .into_iter()
                .filter(|(name, _)| *name == call.list);
            items.extend(lists.flat_map(|(_, items)| items));
            if page.next.is_none() || page.next == next {
                return Ok(Json::Object(vec![(call.list, Json::List(items))]));
            }
            next = page.next;
        }
        Err(Fault::lasting("the answer has no last page"))
    }
}

/// Calls that are under way at once: the API allows few in a second.
const AT_ONCE: usize = 4;

/// How a list is named, in questions and answers.
const ENTRIES_OF: &str = "PrefixListId";

/// Whether it can be part of a file's name.
fn is_list_id(id: &str) -> bool {
    let digits = id.strip_prefix("pl-").unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether the other side does not know the call: old partitions, other servers.
fn is_unknown(fault: &Fault) -> bool {
    let codes = [
        "InvalidAction",
        "UnsupportedOperation",
        "UnknownOperationException",
        "NotImplemented",
    ];
    codes.contains(&fault.code.as_str())
}

/// `DescribeVpcs` as `ec2 describe-vpcs`.
fn cli_name(action: &str) -> String {
    let mut name = "ec2 ".to_owned();
    for (number, letter) in action.chars().enumerate() {
        if letter.is_ascii_uppercase() && number > 0 {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

fn refused(call: &str, place: &str, fault: &Fault) -> CloudError {
    let denied = [
        "UnauthorizedOperation",
        "AccessDenied",
        "AccessDeniedException",
    ];
    let advice = if denied.contains(&fault.code.as_str()) {
        "; the README shows the IAM policy that is needed"
    } else {
        ""
    };
    CloudError::Refused(format!("`{call}` in {place}: {}{advice}", fault.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_named_as_the_cli_names_them() {
        let names: Vec<String> = CALLS.iter().map(|call| cli_name(call.action)).collect();
        assert_eq!(names[0], "ec2 describe-security-groups");
        assert_eq!(names[8], "ec2 describe-security-group-vpc-associations");
    }

    #[test]
    fn each_call_has_its_list_in_the_table() {
        let shapes = Shapes::new();
        for call in CALLS.iter().chain([&ENTRIES]) {
            let root = format!("{}Response", call.action);
            let page = shapes.page(call.action, &format!("<{root}/>")).unwrap();
            assert!(page.lists.is_empty());
            assert!(shapes.has_list(call.action, call.list), "{call:?}");
        }
    }

    #[test]
    fn odd_ids_of_lists_name_no_file() {
        assert!(is_list_id("pl-0a1b"));
        for odd in ["pl-", "pl-../x", "sg-0a", "", "pl-a b"] {
            assert!(!is_list_id(odd), "{odd}");
        }
    }
}
