//! Digests into one, written as if one run had read every object: one batch,
//! objects by identity. So what is written depends on the set of objects alone:
//! the same bytes in whatever order and grouping digests are merged.

use rayon::prelude::*;

use crate::digest::error::DigestError;
use crate::digest::folder::Writer;
use crate::digest::union::DayFile;
use crate::digest::union::Union;
use crate::digest::units::Unit;

/// Writes all objects of a union as the one batch of a digest, day by day, and
/// takes the digest's other batches away; these must be part of the union.
///
/// # Errors
/// Where something cannot be read or written. The digest then holds what it
/// held before.
pub fn merge(union: &Union, into: &Writer) -> Result<(), DigestError> {
    let mut draft = into.draft(&union.objects)?;
    for files in union.files.chunk_by(|one, other| one.day == other.day) {
        let Some(DayFile { day, .. }) = files.first() else {
            continue;
        };
        draft.add_day(*day, units(union, files)?)?;
    }
    let manifest = draft.commit()?;
    into.keep_only(&manifest.id)
}

/// The rows of some files; their order does not matter to a draft.
fn units(union: &Union, files: &[DayFile]) -> Result<Vec<Unit>, DigestError> {
    let read = |file: &DayFile| {
        let mut units = Vec::new();
        union.read(file, |unit| units.push(unit))?;
        Ok(units)
    };
    let parts: Vec<Vec<Unit>> = files
        .par_iter()
        .map(read)
        .collect::<Result<_, DigestError>>()?;
    Ok(parts.concat())
}
