//! End to end against moto's EC2: make groups, interfaces and ACLs, take a
//! snapshot, compare it with what the AWS CLI prints, analyse it.
//!
//! Needs `moto_server` and `aws`, on PATH or in the folder that
//! `FLOWCINCH_TOOLS` names; `.ci/run` installs them and sets it. Elsewhere the
//! test says that it was skipped.

use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::ec2::case;
use crate::ec2::documents;
use crate::ec2::snapshot;
use crate::ec2::written;

pub(crate) const REGION: &str = "eu-west-1";

/// Another program, if it is there and answers what it is asked: the AWS CLI
/// takes `--help` for an error.
pub(crate) fn tool(name: &str, asked: &str) -> Option<PathBuf> {
    let path = match std::env::var_os("FLOWCINCH_TOOLS") {
        Some(folder) => PathBuf::from(folder).join(name),
        None => PathBuf::from(name),
    };
    let mut command = Command::new(&path);
    let tried = command
        .arg(asked)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success()).then_some(path)
}

/// A server that ends with its value.
pub(crate) struct Moto {
    child: Child,
    address: SocketAddr,
}

impl Moto {
    pub(crate) fn start(program: &PathBuf) -> Moto {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let moto = Moto { child, address };
        for _ in 0..600 {
            if TcpStream::connect(address).is_ok() {
                return moto;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("moto_server does not listen");
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// One call; gives the text of the first element of this name.
    pub(crate) fn call(&self, action: &str, parameters: &[(&str, &str)], wanted: &str) -> String {
        let mut form = format!("Action={action}&Version=2016-11-15");
        for (name, value) in parameters {
            let value = value
                .replace('%', "%25")
                .replace('&', "%26")
                .replace('+', "%2B");
            form.extend(["&", name, "=", &value.replace(' ', "%20")]);
        }
        let mut stream = TcpStream::connect(self.address).unwrap();
        // It reads the service and the Region from what was signed, and no more.
        let head = format!(
            "POST / HTTP/1.1\r\nhost: ec2\r\nconnection: close\r\n\
             content-type: application/x-www-form-urlencoded; charset=utf-8\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=AKID/20260101/{REGION}/ec2/aws4_request, SignedHeaders=host, Signature=0\r\n\
             content-length: {}\r\n\r\n{form}",
            form.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "{action}: {text}");
        let (_, rest) = text
            .split_once(&format!("<{wanted}>"))
            .unwrap_or_else(|| panic!("{text}"));
        rest.split_once('<').unwrap().0.to_owned()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// What groups do not hold: an ACL, tags, a peering, a flow log.
fn surround(moto: &Moto, vpc: &str, other: &str, web: &str) {
    let acl = moto.call("CreateNetworkAcl", &[("VpcId", vpc)], "networkAclId");
    moto.call(
        "CreateNetworkAclEntry",
        &[
            ("NetworkAclId", &acl),
            ("RuleNumber", "90"),
            ("Protocol", "6"),
            ("RuleAction", "deny"),
            ("Egress", "false"),
            ("CidrBlock", "192.0.2.0/24"),
            ("PortRange.From", "22"),
            ("PortRange.To", "23"),
        ],
        "requestId",
    );
    moto.call(
        "CreateTags",
        &[
            ("ResourceId.1", web),
            ("Tag.1.Key", "Name"),
            ("Tag.1.Value", "the <web> & \"more\""),
        ],
        "requestId",
    );
    moto.call(
        "CreateVpcPeeringConnection",
        &[("VpcId", vpc), ("PeerVpcId", other)],
        "vpcPeeringConnectionId",
    );
    moto.call(
        "CreateFlowLogs",
        &[
            ("ResourceType", "VPC"),
            ("ResourceId.1", vpc),
            ("TrafficType", "ALL"),
            ("LogDestinationType", "cloud-watch-logs"),
            ("LogGroupName", "flow"),
            (
                "DeliverLogsPermissionArn",
                "arn:aws:iam::123456789012:role/x",
            ),
        ],
        "item",
    );
}

/// Two groups that know each other, interfaces, a list, and what is around them.
/// Gives the address and id of the interface of the second group.
fn furnish(moto: &Moto) -> (String, String) {
    let vpc = moto.call("CreateVpc", &[("CidrBlock", "10.7.0.0/16")], "vpcId");
    let other = moto.call("CreateVpc", &[("CidrBlock", "10.8.0.0/16")], "vpcId");
    let subnet = moto.call(
        "CreateSubnet",
        &[("VpcId", &vpc), ("CidrBlock", "10.7.1.0/24")],
        "subnetId",
    );
    let group = |name: &str, text: &str| {
        let parameters = [
            ("GroupName", name),
            ("GroupDescription", text),
            ("VpcId", &vpc),
        ];
        moto.call("CreateSecurityGroup", &parameters, "groupId")
    };
    let (web, db) = (group("web", "a & b"), group("db", "data"));
    let list = moto.call(
        "CreateManagedPrefixList",
        &[
            ("PrefixListName", "offices"),
            ("AddressFamily", "IPv4"),
            ("MaxEntries", "5"),
            ("Entry.1.Cidr", "203.0.113.0/24"),
            ("Entry.1.Description", "<main>"),
            ("Entry.2.Cidr", "198.51.100.0/24"),
        ],
        "prefixListId",
    );
    let allow = |group: &str, port: &str, peer: (&str, &str)| {
        moto.call(
            "AuthorizeSecurityGroupIngress",
            &[
                ("GroupId", group),
                ("IpPermissions.1.IpProtocol", "tcp"),
                ("IpPermissions.1.FromPort", port),
                ("IpPermissions.1.ToPort", port),
                peer,
            ],
            "requestId",
        );
    };
    allow(
        &web,
        "443",
        ("IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"),
    );
    allow(
        &web,
        "443",
        ("IpPermissions.1.Ipv6Ranges.1.CidrIpv6", "::/0"),
    );
    allow(
        &web,
        "22",
        ("IpPermissions.1.PrefixListIds.1.PrefixListId", &list),
    );
    allow(&db, "5432", ("IpPermissions.1.Groups.1.GroupId", &web));
    let interface = |group: &str, address: &str| {
        let parameters = [
            ("SubnetId", subnet.as_str()),
            ("SecurityGroupId.1", group),
            ("PrivateIpAddress", address),
        ];
        moto.call("CreateNetworkInterface", &parameters, "networkInterfaceId")
    };
    interface(&web, "10.7.1.10");
    let store = interface(&db, "10.7.1.20");
    surround(moto, &vpc, &other, &web);
    ("10.7.1.20".to_owned(), store)
}

#[test]
#[expect(
    clippy::print_stderr,
    reason = "that a test was skipped has to be seen"
)]
fn the_snapshot_is_what_the_aws_cli_prints() {
    let (Some(server), Some(aws)) = (tool("moto_server", "--help"), tool("aws", "--version"))
    else {
        let required = std::env::var_os("FLOWCINCH_TOOLS").is_some();
        assert!(
            !required,
            "FLOWCINCH_TOOLS is set and has no moto_server or no aws"
        );
        eprintln!("\n*** SKIPPED: end to end against EC2: no moto_server or no aws on PATH ***\n");
        return;
    };
    let moto = Moto::start(&server);
    let (address, interface) = furnish(&moto);
    let case = case();
    let run = snapshot(
        &case,
        &moto.url(),
        &["--region", REGION, "--max-attempts", "2"],
    );
    // It does not know one of the calls, and fails there instead of saying so.
    assert_eq!(run.status, Some(3), "{}", run.stderr);
    assert_eq!(run.stderr.matches("missing: ").count(), 1, "{}", run.stderr);
    assert!(
        run.stderr
            .contains("describe-security-group-vpc-associations")
    );
    let folder = written(&case, &run);

    let documents = documents(&folder);
    assert!(documents.len() >= 10, "{:?}", documents.keys());
    let url = moto.url();
    let ask = |name: &str| -> Value {
        let stem = name.rsplit('/').next().unwrap().trim_end_matches(".json");
        let call = match stem.strip_prefix("prefix-list-entries-") {
            Some(id) => vec![
                "get-managed-prefix-list-entries".to_owned(),
                "--prefix-list-id".to_owned(),
                id.to_owned(),
            ],
            None => vec![format!("describe-{stem}")],
        };
        let mut command = Command::new(&aws);
        command
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret");
        command
            .env("AWS_CONFIG_FILE", "/none")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/none");
        command.env("NO_PROXY", "127.0.0.1");
        command
            .args([
                "ec2",
                "--output",
                "json",
                "--region",
                REGION,
                "--endpoint-url",
                &url,
            ])
            .args(call);
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    };
    for (name, document) in &documents {
        let (_, items) = document.as_object().unwrap().iter().next().unwrap();
        assert!(!items.as_array().unwrap().is_empty(), "{name}");
        assert_eq!(*document, ask(name), "{name}");
    }

    // One connection that the reference allows.
    let log = format!(
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status tcp-flags\n\
         2 123456789012 {interface} 10.7.1.10 {address} 40000 5432 6 9 900 1790000000 1790000060 ACCEPT OK 2\n\
         2 123456789012 {interface} {address} 10.7.1.10 5432 40000 6 9 900 1790000000 1790000060 ACCEPT OK 18\n"
    );
    case.file("a.log", log);
    let folder = folder.to_str().unwrap();
    let run = case.run(&["analyze", "a.log", "--snapshot", folder, "--format", "json"]);
    assert!(matches!(run.status, Some(1 | 3)), "{}", run.stderr);
    let analysis: Value = serde_json::from_slice(&run.stdout).unwrap();
    let groups = analysis["security_groups"].as_array().unwrap();
    let db = groups
        .iter()
        .find(|group| group["group_name"] == "db")
        .unwrap();
    let rules = db["rules"].as_array().unwrap();
    let rule = rules
        .iter()
        .find(|rule| rule["direction"] == "ingress")
        .unwrap();
    assert_eq!(rule["status"], "used", "{rule}");
    assert!(rule["rule_id"].as_str().unwrap().starts_with("sgr-"));
}
