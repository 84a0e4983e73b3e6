//! The main job: logs and snapshots in, the finished document out.

use crate::attribute::scene::Scene;
use crate::attribute::talks;
use crate::attribute::verdicts::Court;
use crate::attribute::watch::Window;
use crate::digest::Union;
use crate::evidence::era::Eras;
use crate::evidence::reserve::Cutting;
use crate::flowlog::layouts::Layouts;
use crate::net::Timestamp;
use crate::pipeline::assemble;
use crate::pipeline::certificate::Draft;
use crate::pipeline::digest;
use crate::pipeline::error::PipelineError;
use crate::pipeline::ingest;
use crate::pipeline::ingest::Ingested;
use crate::pipeline::ingest::Reading;
use crate::pipeline::newest::newest;
use crate::pipeline::proposals::Maker;
use crate::pipeline::request::Progress;
use crate::pipeline::request::Request;
use crate::pipeline::request::TimeBound;
use crate::pipeline::seen::Seen;
use crate::pipeline::seen::seen;
use crate::pipeline::snapshots;
use crate::report::document::Analysis;
use crate::source;
use crate::source::Object;
use crate::source::Search;
use crate::source::Wanted;
use crate::tighten::proof::book::Book;

/// Runs the analysis. Everything that bad data costs is in the document; only
/// what leaves no answer at all is an error.
///
/// # Errors
/// See [`PipelineError`].
pub fn analyze(request: &Request, progress: &dyn Progress) -> Result<Analysis, PipelineError> {
    let (analysis, _) = in_pool(request.threads, || run(request, progress, false))?;
    Ok(analysis)
}

/// As [`analyze`], with what a certificate of the proposals is made from.
///
/// # Errors
/// See [`PipelineError`].
pub fn analyze_certified(
    request: &Request,
    progress: &dyn Progress,
) -> Result<(Analysis, Option<Draft>), PipelineError> {
    in_pool(request.threads, || run(request, progress, true))
}

/// Runs with as many threads as were asked for.
pub(super) fn in_pool<T: Send>(
    threads: Option<usize>,
    run: impl FnOnce() -> Result<T, PipelineError> + Send,
) -> Result<T, PipelineError> {
    with_threads(threads, run)?
}

/// Does something with as many worker threads as were asked for; `None` takes one
/// a core.
///
/// # Errors
/// If the system does not give them.
pub fn with_threads<T: Send>(
    threads: Option<usize>,
    run: impl FnOnce() -> T + Send,
) -> Result<T, PipelineError> {
    let threads = threads.unwrap_or(0);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|_| PipelineError::Threads(threads))?;
    Ok(pool.install(run))
}

fn run(
    request: &Request,
    progress: &dyn Progress,
    certify: bool,
) -> Result<(Analysis, Option<Draft>), PipelineError> {
    let (series, caveats) = snapshots::load(&request.snapshots)?;
    let Seen {
        ingested,
        scenes,
        table,
        attribution,
    } = seen(request, &series, None, progress)?;
    let scene = Scene::new(series.latest());
    let court = Court {
        evidence: &ingested.evidence,
        series: &series,
        scene: &scene,
        table: &table,
        attribution: &attribution,
    };
    let verdicts = court.decide();
    progress.phase("tightening");
    let window = Window::of(&ingested.evidence);
    let book = Book::new(&series);
    let maker = Maker {
        snapshot: series.latest(),
        scenes: &scenes,
        book: &book,
        scene: &scene,
        table: &table,
        attribution: &attribution,
        verdicts: &verdicts,
        window: &window,
        request,
        certify,
    };
    let (mut proposed, talks) = rayon::join(
        || maker.make(),
        || talks::talks(&attribution.passed, &scene),
    );
    let draft = proposed.draft.take();
    let parts = assemble::Parts {
        series: &series,
        table: &table,
        attribution: &attribution,
        verdicts: &verdicts,
        proposed: &proposed,
        sensitive: &request.limits.sensitive_ports,
        talks: &talks,
    };
    let analysis = parts.assemble(&ingested, caveats);
    // What the document was made from is given back while it is written.
    rayon::spawn(move || drop((ingested, attribution)));
    Ok((analysis, draft))
}

pub(super) fn read(
    request: &Request,
    layout: Layouts,
    eras: &Eras,
    cutting: &Cutting<'_>,
    progress: &dyn Progress,
) -> Result<Ingested, PipelineError> {
    if !request.names_logs() {
        return Err(PipelineError::NoLogs);
    }
    let digests = digest::open(&request.digests, &request.access)?;
    let Found {
        objects,
        since,
        until,
    } = objects(request, &digests, &layout, progress)?;
    let sizes: Option<u64> = objects.iter().map(|object| object.size).sum();
    progress.begin(u64::try_from(objects.len()).unwrap_or(u64::MAX), sizes);
    progress.phase("reading");
    let mut ingested = ingest::ingest(
        &objects,
        &digests,
        &Reading {
            layout,
            eras,
            since,
            until,
            memory: request.memory,
            cutting,
        },
        progress,
    )?;
    ingested.caveats = digest::caveats(&digests, request, (since, until));
    Ok(ingested)
}

/// What to read, and which span of it counts.
struct Found {
    objects: Vec<Object>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// The objects that can hold something of the asked span. A bound counted back
/// from the newest record has the newest logs read once more, to find it.
/// Digests know whole hours only, so with them the span is widened to these.
fn objects(
    request: &Request,
    digests: &Union,
    layout: &Layouts,
    progress: &dyn Progress,
) -> Result<Found, PipelineError> {
    progress.phase("listing");
    let fixed = fixed_bounds(request).map(|fixed| widened(request, fixed));
    let search = Search {
        access: request.access.clone(),
        // What times are counted back from may lie anywhere.
        wanted: fixed.unwrap_or_default(),
    };
    let found = source::find(&request.logs, &search)?;
    let mut objects = digest::not_in(&digests.known(), found);
    let wanted = if let Some(fixed) = fixed {
        fixed
    } else {
        let counted = counted_back(request, &objects, digests, layout, progress)?;
        widened(request, counted)
    };
    objects.retain(|object| wanted.may_hold(&object.name));
    let Wanted { since, until } = wanted;
    Ok(Found {
        objects,
        since,
        until,
    })
}

/// The span in the hours that digests know, where there are digests.
fn widened(request: &Request, wanted: Wanted) -> Wanted {
    if request.digests.is_empty() {
        return wanted;
    }
    Wanted {
        since: wanted.since.map(digest::hour_start),
        until: wanted.until.map(digest::hour_end),
    }
}

/// The asked span, where none of its ends is counted back from the newest record.
fn fixed_bounds(request: &Request) -> Option<Wanted> {
    let fixed = |bound: Option<TimeBound>| match bound {
        Some(TimeBound::At(time)) => Some(Some(time)),
        None => Some(None),
        Some(TimeBound::BeforeNewest { .. }) => None,
    };
    Some(Wanted {
        since: fixed(request.since)?,
        until: fixed(request.until)?,
    })
}

/// The asked span, with the newest record known.
fn counted_back(
    request: &Request,
    objects: &[Object],
    digests: &Union,
    layout: &Layouts,
    progress: &dyn Progress,
) -> Result<Wanted, PipelineError> {
    if objects.iter().any(Object::is_stdin) {
        return Err(PipelineError::RelativeOnStdin);
    }
    progress.phase("finding the newest record");
    let texts = ingest::texts(request.memory);
    let newest = newest(objects, layout, &texts).max(digest::newest(digests));
    let point = |bound: TimeBound| match bound {
        TimeBound::At(time) => Some(time),
        TimeBound::BeforeNewest { seconds } => {
            newest.map(|newest| Timestamp(newest.0.saturating_sub(seconds)))
        }
    };
    Ok(Wanted {
        since: request.since.and_then(point),
        until: request.until.and_then(point),
    })
}
