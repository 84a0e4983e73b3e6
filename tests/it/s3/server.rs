//! A small S3 on loopback, which can be made to fail: listing in pages, reading
//! whole and in parts, conditions, and every kind of trouble that a client has
//! to bear. It counts what it is asked, so that a test can say what was fetched.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use md5::Digest;
use md5::Md5;

/// Trouble with one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// 503, come back later.
    SlowDown,
    /// 500.
    Error,
    /// Half of the body, then the connection goes.
    Reset,
    /// Half of the body, then nothing for a while.
    Stall,
    /// A body that ends early and says that it is complete.
    Short,
    /// A body with one byte changed.
    Altered,
    /// Of a listing: the page before, once more.
    Repeat,
}

const ALL: [Trouble; 7] = [
    Trouble::SlowDown,
    Trouble::Error,
    Trouble::Reset,
    Trouble::Stall,
    Trouble::Short,
    Trouble::Altered,
    Trouble::Repeat,
];

/// How a server behaves.
#[derive(Clone, Debug)]
pub(crate) struct Manners {
    /// One answer in so many is trouble; 0 for none.
    pub(crate) trouble_in: usize,
    /// Trouble with each answer about one key.
    pub(crate) always: BTreeMap<String, Trouble>,
    /// Whether each page of a listing is cut short once, each at another byte,
    /// and says that it is complete.
    pub(crate) cut_pages: bool,
    /// Keys of a page.
    pub(crate) page: usize,
    /// The Region that requests must be signed for.
    pub(crate) region: Option<String>,
    /// Whether requests must say that the requester pays.
    pub(crate) requester_pays: bool,
}

impl Default for Manners {
    fn default() -> Manners {
        Manners {
            trouble_in: 0,
            always: BTreeMap::new(),
            cut_pages: false,
            page: 1000,
            region: None,
            requester_pays: false,
        }
    }
}

/// One stored object.
#[derive(Clone, Debug)]
struct Stored {
    bytes: Arc<Vec<u8>>,
    etag: String,
}

impl Stored {
    fn new(bytes: Vec<u8>) -> Stored {
        Stored {
            etag: hex(&Md5::digest(&bytes)),
            bytes: Arc::new(bytes),
        }
    }
}

/// A server that ends with its value.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    objects: Mutex<BTreeMap<String, Stored>>,
    manners: Manners,
    answers: AtomicUsize,
    troubles: AtomicUsize,
    stop: AtomicBool,
    gets: Mutex<BTreeMap<String, usize>>,
    lists: AtomicUsize,
    /// Where the page before each page began.
    before: Mutex<BTreeMap<String, String>>,
    /// Pages that were cut once.
    cut: Mutex<BTreeSet<String>>,
}

/// The only bucket there is.
pub(crate) const BUCKET: &str = "flow-logs";

impl Server {
    /// Serves these objects.
    pub(crate) fn start(objects: BTreeMap<String, Vec<u8>>, manners: Manners) -> Server {
        let objects = objects.into_iter();
        let objects = objects.map(|(key, bytes)| (key, Stored::new(bytes)));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            objects: Mutex::new(objects.collect()),
            manners,
            answers: AtomicUsize::new(0),
            troubles: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            gets: Mutex::default(),
            lists: AtomicUsize::new(0),
            before: Mutex::default(),
            cut: Mutex::default(),
        });
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if own.stop.load(Ordering::SeqCst) {
                    break;
                }
                let own = Arc::clone(&own);
                thread::spawn(move || drop(own.serve(&stream.unwrap())));
            }
        });
        Server { address, shared }
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How often each object was asked for.
    pub(crate) fn gets(&self) -> BTreeMap<String, usize> {
        self.shared.gets.lock().unwrap().clone()
    }

    /// What lies below a prefix, by the rest of its key.
    pub(crate) fn below(&self, prefix: &str) -> BTreeMap<String, Vec<u8>> {
        let objects = self.shared.objects.lock().unwrap();
        let own = objects.iter().filter_map(|(key, stored)| {
            let rest = key.strip_prefix(prefix)?;
            Some((rest.to_owned(), stored.bytes.to_vec()))
        });
        own.collect()
    }

    /// Puts an object there, as somebody else might.
    pub(crate) fn place(&self, key: &str, bytes: &[u8]) {
        let stored = Stored::new(bytes.to_vec());
        let mut objects = self.shared.objects.lock().unwrap();
        objects.insert(key.to_owned(), stored);
    }

    /// How often a listing was asked for.
    pub(crate) fn lists(&self) -> usize {
        self.shared.lists.load(Ordering::SeqCst)
    }

    /// How many answers were trouble.
    pub(crate) fn troubles(&self) -> usize {
        self.shared.troubles.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the one who waits for connections.
        drop(TcpStream::connect(self.address));
    }
}

struct Asked {
    method: String,
    body: Vec<u8>,
    key: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
}

struct Answer {
    status: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Shared {
    fn serve(&self, stream: &TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut lines = BufReader::new(stream);
        while let Some(asked) = read(&mut lines)? {
            let trouble = self.trouble(&asked);
            let answer = self.answer(&asked, trouble);
            // A changed byte in a listing is another listing: no client can tell.
            let trouble = trouble.filter(|trouble| {
                *trouble != Trouble::Altered || !asked.query.contains_key("list-type")
            });
            if !give(stream, answer, trouble)? {
                break;
            }
        }
        stream.shutdown(Shutdown::Both)
    }

    /// The trouble with the next answer.
    fn trouble(&self, asked: &Asked) -> Option<Trouble> {
        let number = self.answers.fetch_add(1, Ordering::SeqCst);
        let every = self.manners.trouble_in;
        let drawn = || {
            let due = every > 0 && number % every == every - 1;
            due.then(|| ALL[(number / every) % ALL.len()])
        };
        let trouble = self.manners.always.get(&asked.key).copied().or_else(drawn);
        if trouble.is_some() {
            self.troubles.fetch_add(1, Ordering::SeqCst);
        }
        trouble
    }

    fn answer(&self, asked: &Asked, trouble: Option<Trouble>) -> Answer {
        if let Some(region) = &self.manners.region {
            let signed = asked.headers.get("authorization").cloned();
            if !signed
                .unwrap_or_default()
                .contains(&format!("/{region}/s3/"))
            {
                let mut answer = error("301 Moved Permanently", "PermanentRedirect");
                answer.headers.push(("x-amz-bucket-region", region.clone()));
                return answer;
            }
        }
        if self.manners.requester_pays && !asked.headers.contains_key("x-amz-request-payer") {
            return error("403 Forbidden", "AccessDenied");
        }
        if asked.query.contains_key("list-type") {
            self.lists.fetch_add(1, Ordering::SeqCst);
            let mut page = self.list(&asked.query, trouble == Some(Trouble::Repeat));
            self.cut(&asked.query, &mut page);
            return page;
        }
        match asked.method.as_str() {
            "PUT" => return self.put(asked),
            "DELETE" => {
                self.objects.lock().unwrap().remove(&asked.key);
                return empty("204 No Content");
            }
            _ => {}
        }
        *self
            .gets
            .lock()
            .unwrap()
            .entry(asked.key.clone())
            .or_default() += 1;
        match self.objects.lock().unwrap().get(&asked.key) {
            Some(stored) => get(stored, &asked.headers),
            None => error("404 Not Found", "NoSuchKey"),
        }
    }

    /// Writes an object under the conditions of its headers.
    fn put(&self, asked: &Asked) -> Answer {
        let mut objects = self.objects.lock().unwrap();
        let there = objects
            .get(&asked.key)
            .map(|own| format!("\"{}\"", own.etag));
        let none = asked.headers.get("if-none-match").map(String::as_str);
        if none == Some("*") && there.is_some() {
            return error("412 Precondition Failed", "PreconditionFailed");
        }
        match (asked.headers.get("if-match"), &there) {
            (Some(_), None) => return error("404 Not Found", "NoSuchKey"),
            (Some(wanted), Some(there)) if wanted != there => {
                return error("412 Precondition Failed", "PreconditionFailed");
            }
            _ => {}
        }
        let stored = Stored::new(asked.body.clone());
        let mut answer = empty("200 OK");
        answer
            .headers
            .push(("etag", format!("\"{}\"", stored.etag)));
        objects.insert(asked.key.clone(), stored);
        answer
    }

    fn cut(&self, query: &BTreeMap<String, String>, page: &mut Answer) {
        let mut cut = self.cut.lock().unwrap();
        if self.manners.cut_pages && cut.insert(format!("{query:?}")) {
            page.body.truncate(cut.len() * 7 % page.body.len());
        }
    }

    fn list(&self, query: &BTreeMap<String, String>, repeat: bool) -> Answer {
        let empty = String::new();
        let text = |name: &str| query.get(name).unwrap_or(&empty).as_str();
        let (prefix, delimiter) = (text("prefix"), text("delimiter"));
        let asked = query
            .get("max-keys")
            .map_or(1000, |max| max.parse().unwrap());
        let page = self.manners.page.min(asked);
        let after = match query.get("continuation-token") {
            Some(token) => token.strip_prefix("after:").unwrap().to_owned(),
            None => text("start-after").to_owned(),
        };
        let branch = |after: &str| format!("{prefix}\n{delimiter}\n{after}");
        let before = self.before.lock().unwrap().get(&branch(&after)).cloned();
        let after = before.filter(|_| repeat).unwrap_or(after);
        let after = after.as_str();
        let (mut keys, mut folders) = (Vec::new(), BTreeSet::new());
        let (mut last, mut more) = (String::new(), false);
        let from = if after < prefix {
            Bound::Included(prefix)
        } else {
            Bound::Excluded(after)
        };
        let objects = self.objects.lock().unwrap();
        for (key, stored) in objects.range::<str, _>((from, Bound::Unbounded)) {
            let Some(rest) = key.strip_prefix(prefix) else {
                break;
            };
            let folder = (!delimiter.is_empty())
                .then(|| rest.split_once(delimiter))
                .flatten();
            let folder = folder.map(|(name, _)| format!("{prefix}{name}{delimiter}"));
            // A folder that ended the page before covers all of its keys.
            if folder
                .as_ref()
                .is_some_and(|folder| after.starts_with(folder))
                || folders.contains(folder.as_ref().unwrap_or(&empty))
            {
                last.clone_from(key);
                continue;
            }
            if keys.len() + folders.len() == page {
                more = true;
                break;
            }
            last.clone_from(key);
            match folder {
                Some(folder) => drop(folders.insert(folder)),
                None => keys.push((key, stored)),
            }
        }
        let contents: Vec<String> = keys
            .iter()
            .map(|(key, stored)| {
                format!(
                    "<Contents><Key>{}</Key><Size>{}</Size><ETag>&quot;{}&quot;</ETag></Contents>",
                    escaped(key),
                    stored.bytes.len(),
                    stored.etag
                )
            })
            .collect();
        let prefixes: Vec<String> = folders
            .iter()
            .map(|folder| {
                format!(
                    "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>",
                    escaped(folder)
                )
            })
            .collect();
        let next = if more {
            let mut before = self.before.lock().unwrap();
            before.insert(branch(&last), after.to_owned());
            format!(
                "<NextContinuationToken>after:{}</NextContinuationToken>",
                escaped(&last)
            )
        } else {
            String::new()
        };
        let count = keys.len() + folders.len();
        let (contents, prefixes) = (contents.concat(), prefixes.concat());
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult><Name>{BUCKET}</Name>\
             <IsTruncated>{more}</IsTruncated><KeyCount>{count}</KeyCount>{next}{contents}{prefixes}\
             </ListBucketResult>"
        );
        Answer {
            status: "200 OK",
            headers: vec![("content-type", "application/xml".to_owned())],
            body: body.into_bytes(),
        }
    }
}

fn get(stored: &Stored, headers: &BTreeMap<String, String>) -> Answer {
    let etag = format!("\"{}\"", stored.etag);
    if headers
        .get("if-match")
        .is_some_and(|wanted| *wanted != etag)
    {
        return error("412 Precondition Failed", "PreconditionFailed");
    }
    let len = stored.bytes.len();
    let mut answer = Answer {
        status: "200 OK",
        headers: vec![("etag", etag)],
        body: Vec::new(),
    };
    let range = headers
        .get("range")
        .and_then(|range| range.strip_prefix("bytes="));
    let Some((from, to)) = range.and_then(|range| range.split_once('-')) else {
        answer.body.clone_from(&stored.bytes);
        return answer;
    };
    let from: usize = from.parse().unwrap();
    let to = to.parse().unwrap_or(usize::MAX).min(len - 1);
    answer.status = "206 Partial Content";
    answer
        .headers
        .push(("content-range", format!("bytes {from}-{to}/{len}")));
    answer.body = stored.bytes[from..=to].to_vec();
    answer
}

/// Gives an answer, troubled or not; `false` where the connection is gone.
fn give(
    mut stream: &TcpStream,
    mut answer: Answer,
    trouble: Option<Trouble>,
) -> std::io::Result<bool> {
    let mut half = None;
    let middle = answer.body.len() / 2;
    match trouble {
        Some(Trouble::SlowDown) => answer = error("503 Slow Down", "SlowDown"),
        Some(Trouble::Error) => answer = error("500 Internal Server Error", "InternalError"),
        Some(Trouble::Reset) => half = Some(Duration::ZERO),
        Some(Trouble::Stall) => half = Some(Duration::from_millis(2500)),
        Some(Trouble::Short) => answer.body.truncate(middle),
        Some(Trouble::Altered) if answer.status != "301 Moved Permanently" => {
            if let Some(byte) = answer.body.get_mut(middle) {
                *byte ^= 1;
            }
        }
        Some(Trouble::Repeat | Trouble::Altered) | None => {}
    }
    let headers: Vec<String> = answer
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let headers = headers.concat();
    let head = format!(
        "HTTP/1.1 {}\r\n{headers}content-length: {}\r\n\r\n",
        answer.status,
        answer.body.len()
    );
    stream.write_all(head.as_bytes())?;
    if let Some(pause) = half {
        stream.write_all(&answer.body[..middle])?;
        stream.flush()?;
        thread::sleep(pause);
        return Ok(false);
    }
    stream.write_all(&answer.body)?;
    Ok(true)
}

fn empty(status: &'static str) -> Answer {
    Answer {
        status,
        headers: Vec::new(),
        body: Vec::new(),
    }
}

fn error(status: &'static str, code: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>as the test asked</Message></Error>"
    );
    Answer {
        status,
        headers: vec![("content-type", "application/xml".to_owned())],
        body: body.into_bytes(),
    }
}

fn read(lines: &mut impl BufRead) -> std::io::Result<Option<Asked>> {
    let mut line = String::new();
    if lines.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let method = line.split(' ').next().unwrap_or("GET").to_owned();
    let target = line.split(' ').nth(1).unwrap_or("/").to_owned();
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        lines.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length");
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    lines.read_exact(&mut body)?;
    if headers
        .get("content-encoding")
        .is_some_and(|one| one.contains("aws-chunked"))
    {
        body = unchunked(&body);
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let query = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (unescaped(name), unescaped(value))
    });
    let path = unescaped(path);
    let key = path
        .trim_start_matches('/')
        .strip_prefix(BUCKET)
        .unwrap_or_default();
    Ok(Some(Asked {
        method,
        body,
        key: key.strip_prefix('/').unwrap_or(key).to_owned(),
        query: query.collect(),
        headers,
    }))
}

/// A body that came in signed chunks: `SIZE;chunk-signature=...`, bytes, and so on.
fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let end = body.windows(2).position(|two| two == b"\r\n").unwrap();
        let head = std::str::from_utf8(&body[..end]).unwrap();
        let size = head.split(';').next().unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return bytes;
        }
        let start = end + 2;
        bytes.extend(&body[start..start + size]);
        body = &body[start + size + 2..];
    }
}

fn unescaped(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, behind @ ..] = rest {
        if let (b'%', [high, low, behind @ ..]) = (*first, behind) {
            let digits = [*high, *low];
            let digits = std::str::from_utf8(&digits).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            rest = behind;
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;")
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}
