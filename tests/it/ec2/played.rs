//! An EC2 API played by the test: a few canned answers, in pages, with trouble.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;

use crate::ec2::case;
use crate::ec2::documents;
use crate::ec2::snapshot;
use crate::ec2::written;

/// What was asked: the form's fields.
type Form = BTreeMap<String, String>;

struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Form>>>,
}

impl Server {
    /// Answers each form, and the number of its kind, by this.
    fn start(answer: impl Fn(&Form, usize) -> (u16, String) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Form>>> = Arc::default();
        let own = Arc::clone(&asked);
        let answer = Arc::new(answer);
        // Ends with the process; it holds nothing.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (own, answer) = (Arc::clone(&own), Arc::clone(&answer));
                thread::spawn(move || serve(&stream.unwrap(), &own, answer.as_ref()));
            }
        });
        Server { address, asked }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn asked(&self, action: &str) -> Vec<Form> {
        let all = self.asked.lock().unwrap();
        all.iter()
            .filter(|form| form["Action"] == action)
            .cloned()
            .collect()
    }
}

fn serve(
    mut stream: &TcpStream,
    asked: &Mutex<Vec<Form>>,
    answer: &(dyn Fn(&Form, usize) -> (u16, String) + Send + Sync),
) {
    let mut lines = BufReader::new(stream);
    loop {
        let (mut line, mut length, mut signer) = (String::new(), 0, String::new());
        if lines.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        while line.trim_end() != "" {
            line.clear();
            lines.read_line(&mut line).unwrap();
            let lower = line.to_ascii_lowercase();
            if let Some(text) = lower.strip_prefix("content-length:") {
                length = text.trim().parse().unwrap();
            }
            let signed = "authorization: aws4-hmac-sha256 credential=";
            if let Some((id, _)) = lower
                .strip_prefix(signed)
                .and_then(|text| text.split_once('/'))
            {
                id.clone_into(&mut signer);
            }
        }
        assert!(!signer.is_empty());
        let mut body = vec![0; length];
        lines.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        let mut form: Form = body
            .split('&')
            .map(|pair| pair.split_once('=').unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        form.insert("signed by".to_owned(), signer);
        let number = {
            let mut asked = asked.lock().unwrap();
            asked.push(form.clone());
            asked
                .iter()
                .filter(|other| other["Action"] == form["Action"])
                .count()
        };
        let (status, text) = answer(&form, number);
        let head = format!(
            "HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
    }
}

fn response(action: &str, inner: &str) -> (u16, String) {
    (200, format!("<{action}Response>{inner}</{action}Response>"))
}

fn error(status: u16, code: &str) -> (u16, String) {
    let text = format!(
        "<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors></Response>"
    );
    (status, text)
}

/// Groups in three pages, one interface, one list of two pages, and no more.
fn usual(form: &Form) -> (u16, String) {
    let action = form["Action"].as_str();
    let token = form.get("NextToken").map_or("", String::as_str);
    let inner = match (action, token) {
        ("GetCallerIdentity", _) => {
            "<GetCallerIdentityResult><Account>111122223333</Account></GetCallerIdentityResult>"
        }
        ("DescribeSecurityGroups", "") => {
            "<securityGroupInfo><item><groupId>sg-0a</groupId></item></securityGroupInfo><nextToken>b=+</nextToken>"
        }
        ("DescribeSecurityGroups", "b%3D%2B") => "<securityGroupInfo/><nextToken>c</nextToken>",
        ("DescribeSecurityGroups", "c") => {
            "<securityGroupInfo><item><groupId>sg-0b</groupId></item></securityGroupInfo><nextToken/>"
        }
        ("DescribeNetworkInterfaces", _) => {
            "<networkInterfaceSet><item><networkInterfaceId>eni-0a</networkInterfaceId><tagSet/></item></networkInterfaceSet>"
        }
        ("DescribeManagedPrefixLists", _) => {
            "<prefixListSet><item><prefixListId>pl-0a</prefixListId></item><item><prefixListId>../../x</prefixListId></item></prefixListSet>"
        }
        ("GetManagedPrefixListEntries", "") => {
            "<entrySet><item><cidr>10.0.0.0/8</cidr></item></entrySet><nextToken>2</nextToken>"
        }
        ("GetManagedPrefixListEntries", "2") => {
            "<entrySet><item><cidr>10.1.0.0/16</cidr></item></entrySet>"
        }
        _ => "",
    };
    response(action, inner)
}

#[test]
fn pages_are_joined_and_each_region_has_its_folder() {
    let server = Server::start(|form, _| usual(form));
    let case = case();
    let run = snapshot(
        &case,
        &server.url(),
        &[
            "--region",
            "eu-west-1",
            "--region",
            "us-east-1",
            "--region",
            "eu-west-1",
        ],
    );
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    let folder = written(&case, &run);
    let documents = documents(&folder);
    let names: Vec<&str> = documents.keys().map(String::as_str).collect();
    let of = |region: &str| {
        [
            "flow-logs",
            "managed-prefix-lists",
            "network-acls",
            "network-interfaces",
            "prefix-list-entries-pl-0a",
            "security-group-rules",
            "security-group-vpc-associations",
            "security-groups",
            "subnets",
            "vpc-peering-connections",
            "vpcs",
        ]
        .map(|name| format!("111122223333/{region}/{name}.json"))
    };
    assert_eq!(names, [of("eu-west-1"), of("us-east-1")].concat());
    let groups = &documents["111122223333/eu-west-1/security-groups.json"];
    let expected =
        serde_json::json!({"SecurityGroups": [{"GroupId": "sg-0a"}, {"GroupId": "sg-0b"}]});
    assert_eq!(*groups, expected);
    let entries = &documents["111122223333/us-east-1/prefix-list-entries-pl-0a.json"];
    assert_eq!(entries["Entries"].as_array().unwrap().len(), 2);
    assert_eq!(server.asked("DescribeSecurityGroups").len(), 6);
    // The time is that of the folder.
    let time = folder.file_name().unwrap().to_str().unwrap();
    let line = std::fs::read_to_string(folder.join("captured-at.txt")).unwrap();
    assert_eq!(line.trim_end(), time);
    // Only calls that read.
    let asked = server.asked.lock().unwrap();
    assert!(asked.iter().all(|form| {
        let action = form["Action"].as_str();
        action.starts_with("Describe") || action.starts_with("Get")
    }));
}

#[test]
fn throttling_is_waited_out() {
    let server = Server::start(|form, number| match number % 2 {
        1 => error(503, "RequestLimitExceeded"),
        _ => usual(form),
    });
    let case = case();
    let run = snapshot(&case, &server.url(), &["--region", "eu-west-1"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    let folder = written(&case, &run);
    assert_eq!(documents(&folder).len(), 11);
}

#[test]
fn what_a_server_does_not_know_is_noted_and_what_it_refuses_too() {
    let server = Server::start(|form, _| match form["Action"].as_str() {
        "DescribeSecurityGroupVpcAssociations" => error(400, "InvalidAction"),
        _ => usual(form),
    });
    let own = case();
    let run = snapshot(&own, &server.url(), &["--region", "eu-west-1"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    let noted = "missing: `aws ec2 describe-security-group-vpc-associations` in \
                 111122223333/eu-west-1: InvalidAction: no (HTTP status 400)";
    assert!(run.stderr.contains(noted), "{}", run.stderr);
    assert_eq!(documents(&written(&own, &run)).len(), 10);

    let server = Server::start(|form, _| match form["Action"].as_str() {
        "DescribeFlowLogs" => error(403, "UnauthorizedOperation"),
        _ => usual(form),
    });
    let own = case();
    let run = snapshot(&own, &server.url(), &["--region", "eu-west-1", "--quiet"]);
    assert_eq!(run.status, Some(3), "{}", run.stderr);
    assert!(
        run.stderr.contains("`aws ec2 describe-flow-logs`"),
        "{}",
        run.stderr
    );
}

#[test]
fn without_groups_or_interfaces_there_is_no_snapshot() {
    for needed in ["DescribeSecurityGroups", "DescribeNetworkInterfaces"] {
        let server = Server::start(move |form, _| match form["Action"].as_str() {
            action if action == needed => error(403, "UnauthorizedOperation"),
            _ => usual(form),
        });
        let case = case();
        let run = snapshot(&case, &server.url(), &["--region", "eu-west-1"]);
        assert_eq!(run.status, Some(2), "{}", run.stderr);
        assert!(
            run.stderr.contains("the README shows the IAM policy"),
            "{}",
            run.stderr
        );
        let left = std::fs::read_dir(case.path("snapshots")).unwrap().count();
        assert_eq!(left, 0);
    }
}

#[test]
fn an_answer_that_is_none_is_told() {
    let server = Server::start(|form, _| match form["Action"].as_str() {
        "DescribeSecurityGroups" => (200, "<html>captive portal".to_owned()),
        _ => usual(form),
    });
    let case = case();
    let run = snapshot(&case, &server.url(), &["--region", "eu-west-1"]);
    assert_eq!(run.status, Some(2));
    assert!(
        run.stderr
            .contains("`ec2 describe-security-groups` in 111122223333/eu-west-1: no XML"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_region_has_to_be_known() {
    let case = case();
    let run = snapshot(&case, "http://127.0.0.1:9", &[]);
    assert_eq!(run.status, Some(2));
    assert!(
        run.stderr.contains("give one with `--region`"),
        "{}",
        run.stderr
    );
    assert!(run.text().is_empty());
}

#[test]
fn a_role_is_assumed_and_its_credentials_sign() {
    let server = Server::start(|form, _| match form["Action"].as_str() {
        "AssumeRole" => response(
            "AssumeRole",
            "<AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId>\
             <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
             <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>",
        ),
        _ => usual(form),
    });
    let case = case();
    let config = case.file(
        "config",
        "[profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = x\n\
         [profile role]\nrole_arn = arn:aws:iam::111122223333:role/reader\n\
         source_profile = base\nregion = eu-west-1\n",
    );
    let case = case
        .env("AWS_CONFIG_FILE", config.to_str().unwrap())
        .env("AWS_ENDPOINT_URL", &server.url());
    let run = case.run(&["snapshot", "--out", "snapshots", "--profile", "role"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    let asked = server.asked.lock().unwrap();
    for form in asked.iter() {
        let expected = match form["Action"].as_str() {
            "AssumeRole" => "akidbase",
            _ => "asiarole",
        };
        assert_eq!(form["signed by"], expected, "{form:?}");
    }
    assert!(asked.len() > 10);
}
