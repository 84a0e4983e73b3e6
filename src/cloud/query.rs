//! One call of a Query API (EC2, STS), signed and sent.
//!
//! Why by hand: the SDK's EC2 crate takes more time and memory to build than
//! all the rest together, for a dozen reading calls of one shape. Driving the
//! AWS CLI instead would ask every user to install it, in a version that knows
//! the newest calls, and would leave retries, time limits and errors to text
//! of another program. The signature itself is the SDK's (`aws-sigv4`), and so
//! are the credentials.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::SignableBody;
use aws_sigv4::http_request::SignableRequest;
use aws_sigv4::http_request::SigningSettings;
use aws_sigv4::http_request::sign;
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use roxmltree::Document;

use crate::cloud::patience;
use crate::cloud::patience::Fault;
use crate::cloud::session::Session;

/// A service that speaks this way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Service {
    /// Its name in hosts and signatures.
    pub(super) name: &'static str,
    /// Version of its API.
    pub(super) version: &'static str,
}

/// The EC2 API.
pub(super) const EC2: Service = Service {
    name: "ec2",
    version: "2016-11-15",
};

/// Who one is.
pub(super) const STS: Service = Service {
    name: "sts",
    version: "2011-06-15",
};

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// Asks until there is an answer; gives its XML.
pub(super) async fn ask(
    session: &Session,
    service: Service,
    region: &str,
    call: &str,
    parameters: &[(&str, &str)],
) -> Result<String, Fault> {
    let form = form(service, call, parameters);
    session
        .patience
        .ask(|| async {
            let credentials = credentials(session).await?;
            let request = signed(session, service, region, &form, credentials)
                .map_err(|error| Fault::lasting(format!("cannot sign the request: {error}")))?;
            send(session, request).await
        })
        .await
}

fn form(service: Service, call: &str, parameters: &[(&str, &str)]) -> String {
    let mut form = format!("Action={call}&Version={}", service.version);
    for (name, value) in parameters {
        form.push('&');
        form.push_str(name);
        form.push('=');
        form.extend(value.bytes().map(escaped));
    }
    form
}

fn escaped(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

async fn credentials(session: &Session) -> Result<Credentials, Fault> {
    let none = || {
        Fault::lasting(
            "no credentials were found; set AWS_PROFILE or give --profile, or run `aws configure`",
        )
    };
    let provider = session.config().credentials_provider().ok_or_else(none)?;
    provider.provide_credentials().await.map_err(|error| {
        let mut fault = none();
        fault.text = format!("{} ({})", fault.text, patience::chain(&error));
        fault
    })
}

type SigningError = Box<dyn std::error::Error + Send + Sync>;

fn signed(
    session: &Session,
    service: Service,
    region: &str,
    form: &str,
    credentials: Credentials,
) -> Result<HttpRequest, SigningError> {
    let url = url(session, service, region);
    let identity = credentials.into();
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service.name)
        .time(now())
        .settings(SigningSettings::default())
        .build()?;
    let headers = [("content-type", FORM)];
    let body = SignableBody::Bytes(form.as_bytes());
    let signable = SignableRequest::new("POST", &url, headers.into_iter(), body)?;
    let (instructions, _) = sign(signable, &parameters.into())?.into_parts();
    let mut request = HttpRequest::new(SdkBody::from(form));
    request.set_method("POST")?;
    request.set_uri(url)?;
    let own = request.headers_mut();
    own.try_insert("content-type", FORM)?;
    for (name, value) in instructions.headers() {
        own.try_insert(name.to_owned(), value.to_owned())?;
    }
    Ok(request)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a signature holds for some minutes; no result depends on it"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

fn url(session: &Session, service: Service, region: &str) -> String {
    if let Some(url) = session.endpoint() {
        return format!("{}/", url.trim_end_matches('/'));
    }
    // The partitions that have a name of their own; others take --endpoint-url.
    let domain = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    format!("https://{}.{region}.{domain}/", service.name)
}

async fn send(session: &Session, request: HttpRequest) -> Result<String, Fault> {
    let answer = session.connector().call(request).await.map_err(|error| {
        let text = patience::chain(&error);
        if error.is_user() {
            Fault::lasting(text)
        } else {
            Fault::passing(text)
        }
    })?;
    let status = answer.status();
    let body = ByteStream::new(answer.into_body()).collect().await;
    let body = body.map_err(|error| {
        Fault::passing(format!("the answer broke off: {}", patience::chain(&error)))
    })?;
    let text = String::from_utf8_lossy(&body.into_bytes()).into_owned();
    if status.is_success() {
        return Ok(text);
    }
    let (code, message) = error_of(&text);
    Err(Fault::answered(status.as_u16(), &code, &message))
}

/// Code and message of an error, both empty where it has none.
fn error_of(xml: &str) -> (String, String) {
    let Ok(document) = Document::parse(xml) else {
        return (String::new(), String::new());
    };
    let text = |name: &str| {
        let mut nodes = document.descendants();
        let node = nodes.find(|node| node.is_element() && node.tag_name().name() == name);
        let text = node.and_then(|node| node.text()).unwrap_or_default();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    (text("Code"), text("Message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_escaped() {
        assert_eq!(
            form(EC2, "DescribeVpcs", &[("NextToken", "a+b/c= é")]),
            "Action=DescribeVpcs&Version=2016-11-15&NextToken=a%2Bb%2Fc%3D%20%C3%A9"
        );
    }

    #[test]
    fn errors_are_read_in_both_shapes() {
        let ec2 = "<Response><Errors><Error><Code>UnauthorizedOperation</Code>\
                   <Message>You are\n not</Message></Error></Errors></Response>";
        let sts =
            "<ErrorResponse xmlns=\"x\"><Error><Code>ExpiredToken</Code></Error></ErrorResponse>";
        let pair = |code: &str, message: &str| (code.to_owned(), message.to_owned());
        assert_eq!(error_of(ec2), pair("UnauthorizedOperation", "You are not"));
        assert_eq!(error_of(sts), pair("ExpiredToken", ""));
        assert_eq!(error_of("oops"), pair("", ""));
    }
}
