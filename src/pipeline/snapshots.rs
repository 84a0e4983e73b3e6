//! Paths of `--snapshot` to a series of snapshots with what they leave out.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use crate::describe;
use crate::describe::Loaded;
use crate::flowlog::header::Layout;
use crate::flowlog::layouts::Layouts;
use crate::model::Snapshot;
use crate::model::SnapshotSeries;
use crate::pipeline::error::PipelineError;
use crate::report::document::Caveat;

/// Reads every snapshot; notes of all of them become caveats, each once.
///
/// # Errors
/// Where none is given, one cannot be read, one lacks groups or interfaces, or
/// several have no date.
pub fn load(paths: &[PathBuf]) -> Result<(SnapshotSeries, Vec<Caveat>), PipelineError> {
    let mut caveats = BTreeSet::new();
    let mut loaded: Vec<(&Path, Loaded)> = Vec::new();
    for path in paths {
        let one = describe::load(path)?;
        describe::require_minimum(&one.snapshot)?;
        caveats.extend(one.notes.iter().map(|note| Caveat {
            code: note.code.to_owned(),
            text: note.text.clone(),
        }));
        loaded.push((path, one));
    }
    let mut undated = loaded
        .iter()
        .filter(|(_, one)| one.snapshot.captured_at.is_none());
    if let (Some((first, _)), true, Some(other)) =
        (undated.next(), loaded.len() > 1, other_than_first(&loaded))
    {
        return Err(PipelineError::Undated(first.to_path_buf(), other));
    }
    let loaded = loaded.into_iter().map(|(_, one)| one).collect();
    let series = SnapshotSeries::new(in_turn(loaded)).ok_or(PipelineError::NoSnapshot)?;
    Ok((series, caveats.into_iter().collect()))
}

/// All states; the history within one snapshot reaches back to the snapshot
/// before it, which knows better.
fn in_turn(mut loaded: Vec<Loaded>) -> Vec<Snapshot> {
    loaded.sort_by_key(|one| one.snapshot.captured_at);
    let (mut states, mut until) = (Vec::new(), None);
    for Loaded {
        snapshot,
        mut earlier,
        notes: _,
    } in loaded
    {
        earlier.retain(|state| until.is_none() || state.captured_at > until);
        until = snapshot.captured_at;
        states.extend(earlier);
        states.push(snapshot);
    }
    states
}

/// The columns of logs without a header: the user's word before the snapshots'.
///
/// # Errors
/// Where the user's names cannot be read.
pub fn layouts<'s>(
    fields: Option<&str>,
    snapshots: impl Iterator<Item = &'s Snapshot>,
) -> Result<Layouts, PipelineError> {
    if let Some(fields) = fields {
        return Ok(Layout::parse(fields)?.into());
    }
    let logs = snapshots.flat_map(|snapshot| snapshot.flow_logs.values());
    Ok(Layouts::described(logs.filter_map(|log| {
        let format = log.log_format.as_deref()?;
        Some((log.id.as_str(), format, log.headed))
    })))
}

/// The same of paths, which need not hold more than flow logs.
///
/// # Errors
/// Where a path cannot be read, or the user's names cannot.
pub fn layouts_of(fields: Option<&str>, paths: &[PathBuf]) -> Result<Layouts, PipelineError> {
    let mut snapshots = Vec::new();
    for path in paths {
        snapshots.push(describe::load(path)?.snapshot);
    }
    layouts(fields, snapshots.iter())
}

/// The second undated path, or any other path where only one is undated.
fn other_than_first(loaded: &[(&Path, Loaded)]) -> Option<PathBuf> {
    let undated = |(_, one): &&(&Path, Loaded)| one.snapshot.captured_at.is_none();
    let second = loaded.iter().filter(undated).nth(1);
    second.map(|(path, _)| path.to_path_buf())
}
