//! What logs say of the snapshots' rules: read and attributed, for an analysis
//! and for a replay alike.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::attribute;
use crate::attribute::Attribution;
use crate::attribute::owners::Owners;
use crate::attribute::scene::Scene;
use crate::attribute::table::RuleTable;
use crate::evidence::era::Eras;
use crate::evidence::pool::Coarse;
use crate::model::EniId;
use crate::model::Snapshot;
use crate::model::SnapshotSeries;
use crate::net::Timestamp;
use crate::pipeline::analyze;
use crate::pipeline::cutting::Cutter;
use crate::pipeline::error::PipelineError;
use crate::pipeline::ingest::Ingested;
use crate::pipeline::request::Progress;
use crate::pipeline::request::Request;
use crate::pipeline::rules::Standing;
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

/// Reads and attributes. `instead` are rules that what was seen is held against
/// afterwards.
pub(super) fn seen<'a>(
    request: &Request,
    series: &'a SnapshotSeries,
    instead: Option<&Standing>,
    progress: &dyn Progress,
) -> Result<Seen<'a>, PipelineError> {
    let eras = Eras::new(series.handovers());
    let layouts = snapshots::layouts(request.fields.as_deref(), series.snapshots())?;
    let cutter = Cutter::new(series, instead);
    let cutting = |id| cutter.cuts(id);
    let ingested = analyze::read(request, layouts, &eras, &cutting, progress)?;
    progress.phase("attributing");
    let snapshots: Vec<&Snapshot> = series.snapshots().collect();
    let owners = Owners::of(&ingested.evidence, &snapshots);
    let mut scenes: Vec<Scene<'_>> = snapshots.into_iter().map(Scene::new).collect();
    let heard = hear(&mut scenes, &owners, ingested.evidence.coarse.as_ref());
    let table = RuleTable::new(series.latest());
    let certainty = request.min_confidence.certainty();
    let attribution = attribute::attribute(
        &ingested.evidence,
        &scenes,
        &eras,
        &owners,
        &table,
        certainty,
    );
    Ok(Seen {
        ingested,
        scenes,
        table,
        attribution: Attribution {
            heard_owners: heard,
            ..attribution
        },
    })
}

/// Tells each snapshot what the logs of its time say of owners, and gathers
/// what was news.
fn hear(
    scenes: &mut [Scene<'_>],
    owners: &Owners,
    coarse: Option<&Coarse>,
) -> BTreeSet<(IpAddr, EniId)> {
    let starts = scenes.iter().map(|scene| scene.snapshot.captured_at);
    let starts: Vec<Option<Timestamp>> = starts.collect();
    let mut heard = BTreeSet::new();
    for (number, scene) in scenes.iter_mut().enumerate() {
        // Before the first, the first holds.
        let start = (number > 0)
            .then(|| starts.get(number).copied().flatten())
            .flatten();
        let end = starts.get(number + 1).copied().flatten();
        for (id, address) in owners.within(start, end) {
            if scene.hear(address, id) {
                heard.insert((address, id));
                // What stands for it among others may have carried any group.
                let standing = coarse.map(|coarse| coarse.standing_for(address));
                standing
                    .into_iter()
                    .flatten()
                    .for_each(|address| scene.suspect(address));
            }
        }
    }
    heard
}
