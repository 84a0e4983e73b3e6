//! Evidence as rows: what a table on disk holds of it. Listing evidence and
//! folding the rows back gives the same evidence; and since rows are folded by
//! merging, rows of several evidences, in any order, give what these merge to.
//!
//! Everything is taken apart in full here: a field that evidence gains breaks
//! this file instead of being lost on disk.

use crate::evidence::Evidence;
use crate::evidence::RowTally;
use crate::evidence::Unplaced;
use crate::evidence::cell::Cell;
use crate::evidence::cell::CellKey;
use crate::evidence::coverage::HourSet;
use crate::evidence::interface::InterfaceEvidence;
use crate::model::EniId;
use crate::net::Span;

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceRow {
    /// What belongs to no interface.
    Tally(Tally),
    /// An hour of an interface.
    Heard(Heard),
    /// Records of an interface that are in no cell.
    Odd(Odd),
    /// A cell of an interface.
    Cell(EniId, CellKey, Cell),
}

/// Rows by kind, and their span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows by kind.
    pub rows: RowTally,
    /// Records that could not be placed.
    pub unplaced: Unplaced,
    /// First and last second.
    pub span: Option<Span>,
}

/// That an interface was heard of in an hour.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a column of the table of evidence"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The interface.
    pub interface_id: EniId,
    /// Number of the hour since the epoch.
    pub hour: i64,
    /// A record or NODATA row spoke of it.
    pub observed: bool,
    /// An ACCEPT record did.
    pub active: bool,
    /// A REJECT record.
    pub rejected: bool,
    /// A SKIPDATA row did.
    pub lost: bool,
}

/// Records of an interface that are in no cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Odd {
    /// The interface.
    pub interface_id: EniId,
    /// EFA records.
    pub efa_records: u64,
    /// Incomplete records.
    pub incomplete_records: u64,
}

impl Evidence {
    /// Every row of it: equal evidence gives equal rows in equal order.
    #[must_use]
    pub fn to_rows(&self) -> Vec<EvidenceRow> {
        let Evidence {
            interfaces,
            span,
            rows,
            unplaced,
            coarse: _,
        } = self;
        let tally = Tally {
            rows: *rows,
            unplaced: *unplaced,
            span: *span,
        };
        let mut all = Vec::new();
        if tally != Tally::default() {
            all.push(EvidenceRow::Tally(tally));
        }
        let mut interfaces: Vec<(&EniId, &InterfaceEvidence)> = interfaces.iter().collect();
        interfaces.sort_unstable_by_key(|(id, _)| **id);
        for (id, seen) in interfaces {
            list(*id, seen, &mut all);
        }
        all
    }

    /// Adds what a row says.
    pub fn add_row(&mut self, row: &EvidenceRow) {
        match row {
            EvidenceRow::Tally(tally) => self.add_tally(tally),
            EvidenceRow::Heard(heard) => self.add_heard(heard),
            EvidenceRow::Odd(odd) => {
                let interface = self.interfaces.entry(odd.interface_id).or_default();
                interface.efa_records += odd.efa_records;
                interface.incomplete_records += odd.incomplete_records;
            }
            EvidenceRow::Cell(id, key, cell) => {
                self.interfaces.entry(*id).or_default().add(*key, cell);
            }
        }
    }

    fn add_tally(&mut self, tally: &Tally) {
        let Tally {
            rows,
            unplaced,
            span,
        } = *tally;
        self.rows += rows;
        self.unplaced += unplaced;
        if let Some(span) = span {
            self.see(span.start, span.end);
        }
    }

    fn add_heard(&mut self, heard: &Heard) {
        let Heard {
            interface_id,
            hour,
            observed,
            active,
            rejected,
            lost,
        } = *heard;
        let interface = self.interfaces.entry(interface_id).or_default();
        let sets = [
            (observed, &mut interface.observed),
            (active, &mut interface.active),
            (rejected, &mut interface.rejected),
            (lost, &mut interface.lost),
        ];
        for (holds, hours) in sets {
            if holds {
                hours.insert(hour);
            }
        }
    }
}

fn list(interface_id: EniId, seen: &InterfaceEvidence, all: &mut Vec<EvidenceRow>) {
    let InterfaceEvidence {
        cells,
        observed,
        active,
        rejected,
        lost,
        efa_records,
        incomplete_records,
    } = seen;
    let mut hours: Vec<i64> = [observed, active, rejected, lost]
        .into_iter()
        .flat_map(HourSet::iter)
        .collect();
    hours.sort_unstable();
    hours.dedup();
    all.extend(hours.into_iter().map(|hour| {
        EvidenceRow::Heard(Heard {
            interface_id,
            hour,
            observed: observed.contains(hour),
            active: active.contains(hour),
            rejected: rejected.contains(hour),
            lost: lost.contains(hour),
        })
    }));
    if (*efa_records, *incomplete_records) != (0, 0) {
        all.push(EvidenceRow::Odd(Odd {
            interface_id,
            efa_records: *efa_records,
            incomplete_records: *incomplete_records,
        }));
    }
    let cells = cells.sorted().into_iter();
    all.extend(cells.map(|(key, cell)| EvidenceRow::Cell(interface_id, key, cell)));
}
