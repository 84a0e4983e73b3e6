//! What was seen at one interface.

use crate::evidence::cell::Cell;
use crate::evidence::cell::CellKey;
use crate::evidence::cells::Cells;
use crate::evidence::coverage::HourSet;
use crate::evidence::coverage::HoursHeard;
use crate::net::Timestamp;

/// Cells and coverage of one interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceEvidence {
    /// What it recorded.
    pub cells: Cells,
    /// Hours with a record or a NODATA row.
    pub observed: HourSet,
    /// Hours with an ACCEPT record.
    pub active: HourSet,
    /// Hours with a REJECT record.
    pub rejected: HourSet,
    /// Hours with a SKIPDATA row.
    pub lost: HourSet,
    /// EFA rows: their five-tuple means nothing.
    pub efa_records: u64,
    /// Records that lack an address, port or protocol.
    pub incomplete_records: u64,
}

impl InterfaceEvidence {
    /// Notes a record or NODATA row over these seconds.
    pub fn observe(&mut self, start: Timestamp, end: Timestamp) {
        self.observed.insert_span(start, end);
    }

    /// Notes an ACCEPT record over these seconds.
    pub fn accept(&mut self, start: Timestamp, end: Timestamp) {
        self.active.insert_span(start, end);
    }

    /// Notes a REJECT record over these seconds.
    pub fn reject(&mut self, start: Timestamp, end: Timestamp) {
        self.rejected.insert_span(start, end);
    }

    /// Notes a SKIPDATA row over these seconds.
    pub fn lose(&mut self, start: Timestamp, end: Timestamp) {
        self.lost.insert_span(start, end);
    }

    /// Notes the hours of records.
    pub fn hear(&mut self, heard: &HoursHeard) {
        let HoursHeard { active, rejected } = heard;
        self.observed.merge(active);
        self.observed.merge(rejected);
        self.active.merge(active);
        self.rejected.merge(rejected);
    }

    /// Adds a cell.
    pub fn add(&mut self, key: CellKey, cell: &Cell) {
        self.cells.add(key, cell);
    }

    /// Adds what another worker saw at the same interface.
    pub fn merge(&mut self, other: InterfaceEvidence) {
        let InterfaceEvidence {
            cells,
            observed,
            active,
            rejected,
            lost,
            efa_records,
            incomplete_records,
        } = other;
        self.cells.merge(cells);
        self.observed.merge(&observed);
        self.active.merge(&active);
        self.rejected.merge(&rejected);
        self.lost.merge(&lost);
        self.efa_records += efa_records;
        self.incomplete_records += incomplete_records;
    }
}
