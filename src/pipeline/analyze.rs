//! The main job: logs and snapshots in, the finished document out.

use crate::attribute;
use crate::attribute::initiator::Certainty;
use crate::attribute::scene::Scene;
use crate::attribute::table::RuleTable;
use crate::attribute::talks;
use crate::attribute::verdicts::Court;
use crate::attribute::watch::Window;
use crate::evidence::era::Eras;
use crate::flowlog::header::Layout;
use crate::net::Timestamp;
use crate::pipeline::assemble;
use crate::pipeline::error::PipelineError;
use crate::pipeline::ingest;
use crate::pipeline::ingest::Ingested;
use crate::pipeline::ingest::Reading;
use crate::pipeline::proposals::Maker;
use crate::pipeline::request::MinConfidence;
use crate::pipeline::request::Progress;
use crate::pipeline::request::Request;
use crate::pipeline::request::TimeBound;
use crate::pipeline::snapshots;
use crate::report::document::Analysis;
use crate::source;
use crate::source::Object;
use crate::tighten::proof::book::Book;

/// Runs the analysis. Everything that bad data costs is in the document; only
/// what leaves no answer at all is an error.
///
/// # Errors
/// See [`PipelineError`].
pub fn analyze(request: &Request, progress: &dyn Progress) -> Result<Analysis, PipelineError> {
    let threads = request.threads.unwrap_or(0);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|_| PipelineError::Threads(threads))?
        .install(|| run(request, progress))
}

fn run(request: &Request, progress: &dyn Progress) -> Result<Analysis, PipelineError> {
    if request.logs.is_empty() {
        return Err(PipelineError::NoLogs);
    }
    let (series, caveats) = snapshots::load(&request.snapshots)?;
    let eras = Eras::new(series.handovers());
    let ingested = read(request, &eras, progress)?;
    progress.phase("attributing");
    let scenes: Vec<Scene<'_>> = series.snapshots().map(Scene::new).collect();
    let table = RuleTable::new(series.latest());
    let min_certainty = match request.min_confidence {
        MinConfidence::Certain => Certainty::Certain,
        MinConfidence::High => Certainty::High,
    };
    let attribution =
        attribute::attribute(&ingested.evidence, &scenes, &eras, &table, min_certainty);
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
    };
    let proposed = maker.make();
    let parts = assemble::Parts {
        series: &series,
        table: &table,
        attribution: &attribution,
        verdicts: &verdicts,
        proposed: &proposed,
        talks: &talks::talks(&attribution.passed, &scene),
    };
    Ok(parts.assemble(ingested, caveats))
}

fn read(
    request: &Request,
    eras: &Eras,
    progress: &dyn Progress,
) -> Result<Ingested, PipelineError> {
    let layout = request
        .fields
        .as_deref()
        .map_or_else(|| Ok(Layout::default()), Layout::parse)?;
    let objects = source::list(&request.logs)?;
    let sizes: Option<u64> = objects.iter().map(|object| object.size).sum();
    progress.begin(u64::try_from(objects.len()).unwrap_or(u64::MAX), sizes);
    let (since, until) = bounds(request, &objects, &layout, progress)?;
    progress.phase("reading");
    ingest::ingest(
        &objects,
        &Reading {
            layout,
            eras,
            since,
            until,
            memory: request.memory,
        },
        progress,
    )
}

type Bounds = (Option<Timestamp>, Option<Timestamp>);

/// The asked span as points in time. A bound counted back from the newest
/// record has the logs read once more, to find that record.
fn bounds(
    request: &Request,
    objects: &[Object],
    layout: &Layout,
    progress: &dyn Progress,
) -> Result<Bounds, PipelineError> {
    let asked = [request.since, request.until];
    let relative = asked
        .iter()
        .flatten()
        .any(|bound| matches!(bound, TimeBound::BeforeNewest { .. }));
    let newest = if relative {
        if objects.iter().any(Object::is_stdin) {
            return Err(PipelineError::RelativeOnStdin);
        }
        progress.phase("finding the newest record");
        ingest::newest(objects, layout)
    } else {
        None
    };
    let point = |bound: TimeBound| match bound {
        TimeBound::At(time) => Some(time),
        TimeBound::BeforeNewest { seconds } => {
            newest.map(|newest| Timestamp(newest.0.saturating_sub(seconds)))
        }
    };
    Ok((request.since.and_then(point), request.until.and_then(point)))
}
