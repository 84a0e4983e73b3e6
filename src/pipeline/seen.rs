//! What logs say of the snapshots' rules: read and attributed, for an analysis
//! and for a replay alike.

use crate::attribute;
use crate::attribute::Attribution;
use crate::attribute::scene::Scene;
use crate::attribute::table::RuleTable;
use crate::evidence::era::Eras;
use crate::model::SnapshotSeries;
use crate::pipeline::analyze;
use crate::pipeline::error::PipelineError;
use crate::pipeline::ingest::Ingested;
use crate::pipeline::request::Progress;
use crate::pipeline::request::Request;
use crate::pipeline::snapshots;

/// What was seen, and under which rules.
pub(super) struct Seen<'a> {
    pub(super) ingested: Ingested,
    /// Each snapshot, in the order of time.
    pub(super) scenes: Vec<Scene<'a>>,
    /// The rules of the latest.
    pub(super) table: RuleTable<'a>,
    pub(super) attribution: Attribution,
}

/// Reads and attributes.
pub(super) fn seen<'a>(
    request: &Request,
    series: &'a SnapshotSeries,
    progress: &dyn Progress,
) -> Result<Seen<'a>, PipelineError> {
    let eras = Eras::new(series.handovers());
    let layouts = snapshots::layouts(request.fields.as_deref(), series.snapshots())?;
    let ingested = analyze::read(request, layouts, &eras, progress)?;
    progress.phase("attributing");
    let scenes: Vec<Scene<'_>> = series.snapshots().map(Scene::new).collect();
    let table = RuleTable::new(series.latest());
    let certainty = request.min_confidence.certainty();
    let attribution = attribute::attribute(&ingested.evidence, &scenes, &eras, &table, certainty);
    Ok(Seen {
        ingested,
        scenes,
        table,
        attribution,
    })
}
