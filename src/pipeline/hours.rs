//! Rows of one object, gathered hour by hour: what a digest keeps. An hour is
//! gathered like a whole log, so an hour in a digest and the same rows read
//! anew are the same evidence.

use std::collections::BTreeMap;

use crate::digest::Unit;
use crate::evidence::Evidence;
use crate::evidence::RowTally;
use crate::evidence::era::Eras;
use crate::evidence::gather::Gathering;
use crate::flowlog::brief::Brief;
use crate::flowlog::brief::Interfaces;
use crate::model::Row;
use crate::net::Timestamp;
use crate::pipeline::ingest::Gather;
use crate::pipeline::ingest::begins;

/// Hours that are gathered at a time; further ones are folded the plain way,
/// which takes no memory but for what they say.
const OPEN: usize = 512;

/// What one object has told so far.
#[derive(Debug)]
pub struct Hours<'e> {
    /// A single era.
    eras: &'e Eras,
    open: Vec<(i64, Gathering<'e>)>,
    /// Place in `open` of the hour that came last, and that hour.
    latest: Option<(usize, i64)>,
    further: BTreeMap<i64, Evidence>,
    undated: Evidence,
}

impl<'e> Hours<'e> {
    /// Nothing yet. The eras must be a single one.
    #[must_use]
    pub fn new(eras: &'e Eras) -> Hours<'e> {
        Hours {
            eras,
            open: Vec::new(),
            latest: None,
            further: BTreeMap::new(),
            undated: Evidence::default(),
        }
    }

    /// The rows of evidence, as of the object of this number, and the rows and
    /// records that have no time.
    #[must_use]
    pub fn finish(self, object: u32, interfaces: &Interfaces) -> (Vec<Unit>, RowTally, u64) {
        let open = self.open.into_iter();
        let open = open.map(|(hour, gathering)| (hour, gathering.finish(interfaces)));
        let units = open.chain(self.further).flat_map(|(hour, evidence)| {
            let rows = evidence.to_rows().into_iter();
            rows.map(move |row| Unit { object, hour, row })
        });
        let undated = &self.undated;
        (units.collect(), undated.rows, undated.unplaced.no_time)
    }

    /// The gathering of the hour; `None` where there is no room for one more.
    #[inline]
    fn at(&mut self, hour: i64) -> Option<&mut Gathering<'e>> {
        let place = match self.latest {
            Some((place, latest)) if latest == hour => place,
            Some(_) | None => self.look_up(hour)?,
        };
        self.open.get_mut(place).map(|(_, gathering)| gathering)
    }

    fn look_up(&mut self, hour: i64) -> Option<usize> {
        let known = self.open.iter().position(|(open, _)| *open == hour);
        if known.is_none() && self.open.len() >= OPEN {
            return None;
        }
        let place = known.unwrap_or_else(|| {
            self.open.push((hour, Gathering::new(self.eras)));
            self.open.len().saturating_sub(1)
        });
        self.latest = Some((place, hour));
        Some(place)
    }

    fn fold_plainly(&mut self, hour: i64, row: &Row) {
        self.further.entry(hour).or_default().fold(row, self.eras);
    }
}

impl Gather for Hours<'_> {
    fn fold(&mut self, row: &Row) {
        let Some(begins) = begins(row) else {
            self.undated.fold(row, self.eras);
            return;
        };
        match self.at(begins.hour()) {
            Some(gathering) => gathering.fold(row),
            None => self.fold_plainly(begins.hour(), row),
        }
    }

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "it is compiled for the caller's processor"
    )]
    fn fold_brief(&mut self, brief: &Brief, interfaces: &Interfaces) {
        let hour = Timestamp(i64::from(brief.start.min(brief.end))).hour();
        match self.at(hour) {
            Some(gathering) => gathering.fold_brief(brief),
            None => self.fold_plainly(hour, &Row::Flow(brief.record(interfaces))),
        }
    }

    fn make_room(&mut self, _: &Interfaces) -> bool {
        false
    }
}
