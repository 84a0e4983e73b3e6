//! What lies below a prefix: folder by folder and in parallel where the
//! folders are those of the service (accounts, Regions, years, months, days,
//! hours), page by page elsewhere. A folder whose date rules it out is not
//! looked into. Pages that repeat change nothing: a key counts once.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use tokio::task::JoinSet;

use crate::cloud::patience::Fault;
use crate::source::key;
use crate::source::key::Wanted;
use crate::source::local::WRITE_TEST;
use crate::source::s3::bucket;
use crate::source::s3::bucket::Bucket;
use crate::source::s3::complete::WholePages;
use crate::source::s3::fetch::Remote;

/// How deep below the prefix folders that nobody knows are looked into one by
/// one, in the hope of known ones below.
const HOPE: usize = 2;

/// Most folders that are looked into one by one in that hope.
const MOST_FOLDERS: usize = 64;

/// Pages that may come once more, beyond one for each page.
const MOST_REPEATS: usize = 8;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Objects that may hold what is wanted.
    pub(super) objects: Vec<Remote>,
    /// How many objects and folders there were, wanted or not.
    pub(super) seen: usize,
}

/// One thing to list.
#[derive(Clone, Debug)]
struct Branch {
    prefix: String,
    /// Whether folders below it come as one name each.
    folded: bool,
    /// How deep below the prefix that was asked for.
    depth: usize,
}

/// What one branch gave.
#[derive(Debug, Default)]
struct Leaf {
    objects: BTreeMap<String, Remote>,
    branches: Vec<Branch>,
    seen: usize,
}

/// Lists everything below the prefix.
pub(super) async fn list(
    bucket: &Arc<Bucket>,
    prefix: &str,
    wanted: Wanted,
) -> Result<Listing, Fault> {
    let mut running = JoinSet::new();
    let start = |running: &mut JoinSet<Result<Leaf, Fault>>, branch: Branch| {
        if let Some(handle) = bucket.lake.session.handle() {
            let scan = Scan {
                bucket: Arc::clone(bucket),
                root: prefix.len(),
                wanted,
            };
            running.spawn_on(scan.branch(branch), handle);
        }
    };
    let root = Branch {
        prefix: prefix.to_owned(),
        folded: true,
        depth: 0,
    };
    start(&mut running, root);
    let (mut objects, mut seen) = (BTreeMap::new(), 0_usize);
    while let Some(leaf) = running.join_next().await {
        let leaf = leaf.map_err(|error| Fault::lasting(error.to_string()))??;
        objects.extend(leaf.objects);
        seen = seen.saturating_add(leaf.seen);
        for branch in leaf.branches {
            start(&mut running, branch);
        }
    }
    Ok(Listing {
        objects: objects.into_values().collect(),
        seen,
    })
}

/// The listing of one branch.
struct Scan {
    bucket: Arc<Bucket>,
    /// Length of the prefix that was asked for.
    root: usize,
    wanted: Wanted,
}

impl Scan {
    async fn branch(self, branch: Branch) -> Result<Leaf, Fault> {
        let mut leaf = Leaf::default();
        let mut folders = BTreeSet::new();
        let mut token: Option<String> = None;
        let mut turns = Turns::default();
        loop {
            let (bucket, folded) = (&self.bucket, branch.folded);
            let page = page(bucket, &branch.prefix, folded, token.as_deref()).await?;
            if is_too_wide(&branch, &page) {
                let whole = Branch {
                    folded: false,
                    ..branch
                };
                return Ok(Leaf {
                    branches: vec![whole],
                    ..Leaf::default()
                });
            }
            self.take_objects(&page, &mut leaf);
            let prefixes = page.common_prefixes().iter();
            folders.extend(prefixes.filter_map(|folder| folder.prefix().map(str::to_owned)));
            if page.is_truncated() != Some(true) {
                break;
            }
            token = page.next_continuation_token().map(str::to_owned);
            turns.take(token.as_ref())?;
        }
        leaf.seen = leaf.seen.saturating_add(folders.len());
        let below = folders.into_iter().filter(|folder| self.leads_on(folder));
        leaf.branches = below.map(|folder| branch.below(folder)).collect();
        Ok(leaf)
    }

    fn take_objects(&self, page: &ListObjectsV2Output, leaf: &mut Leaf) {
        for object in page.contents() {
            let Some(key) = object.key().filter(|key| !key.ends_with('/')) else {
                continue;
            };
            leaf.seen = leaf.seen.saturating_add(1);
            if !self.is_log(key) || !self.wanted.may_hold(key) {
                continue;
            }
            let size = object.size().and_then(|size| u64::try_from(size).ok());
            let remote = Remote::new(&self.bucket, key, size.unwrap_or(0), object.e_tag());
            leaf.objects.insert(key.to_owned(), remote);
        }
    }

    /// Whether to look into a folder.
    fn leads_on(&self, folder: &str) -> bool {
        self.wanted.may_hold(folder) && self.is_log(folder)
    }

    /// As on disk: nothing hidden, and no other service's logs.
    fn is_log(&self, key: &str) -> bool {
        // What the user named is not hidden from them.
        let own = key.get(self.root..).unwrap_or_default();
        let dotted = |part: &str| part.starts_with('.') && part != "." && part != "..";
        let hidden = own.split('/').any(dotted);
        !hidden && !key.ends_with(WRITE_TEST) && !key::is_of_other_service(key)
    }
}

impl Branch {
    fn below(&self, prefix: String) -> Branch {
        let depth = self.depth.saturating_add(1);
        let folded = key::is_laid_out(&prefix) || depth <= HOPE;
        Branch {
            prefix,
            folded,
            depth,
        }
    }
}

/// Where the pages of a listing have led so far.
#[derive(Debug, Default)]
pub(super) struct Turns {
    used: BTreeSet<String>,
    repeats: usize,
}

impl Turns {
    /// Goes on to the page of a token, unless pages go round in circles. A page
    /// that comes once more leads on to the same next one.
    pub(super) fn take(&mut self, token: Option<&String>) -> Result<(), Fault> {
        let led = token.is_some_and(|token| self.used.insert(token.clone()));
        self.repeats = self.repeats.saturating_add(usize::from(!led));
        if self.repeats > self.used.len().saturating_add(MOST_REPEATS) {
            return Err(Fault::lasting("the listing goes round in circles"));
        }
        Ok(())
    }
}

/// A page of what lies below a prefix; `folded`, folders come as one name each.
pub(super) async fn page(
    bucket: &Bucket,
    prefix: &str,
    folded: bool,
    token: Option<&str>,
) -> Result<ListObjectsV2Output, Fault> {
    let lake = &bucket.lake;
    let slot = lake.slots.acquire().await;
    let page = lake
        .session
        .patience
        .ask(|| async {
            let request = bucket.client.list_objects_v2();
            let request = request
                .bucket(&bucket.name)
                .prefix(prefix)
                .set_delimiter(folded.then(|| "/".to_owned()))
                .set_continuation_token(token.map(str::to_owned))
                .set_request_payer(bucket.payer());
            let page = request
                .customize()
                .interceptor(WholePages)
                .send()
                .await
                .map_err(|error| bucket::fault(&error))?;
            whole(&page).map(|()| page)
        })
        .await;
    drop(slot);
    page
}

/// Whether folders that nobody knows are so many that going into each would
/// cost more than going through their objects.
fn is_too_wide(branch: &Branch, page: &ListObjectsV2Output) -> bool {
    let folders = page.common_prefixes().len();
    let many = page.is_truncated() == Some(true) || folders > MOST_FOLDERS;
    branch.folded && !key::is_laid_out(&branch.prefix) && many && folders > 0
}

/// Whether a page holds what it says: a cut one may still be readable.
fn whole(page: &ListObjectsV2Output) -> Result<(), Fault> {
    let held = page
        .contents()
        .len()
        .saturating_add(page.common_prefixes().len());
    let said = page
        .key_count()
        .and_then(|count| usize::try_from(count).ok());
    if said.is_some_and(|said| said != held) {
        return Err(Fault::passing("a page of the listing is incomplete"));
    }
    if page.is_truncated() == Some(true) && page.next_continuation_token().is_none() {
        return Err(Fault::passing(
            "a page of the listing does not say how it goes on",
        ));
    }
    Ok(())
}
