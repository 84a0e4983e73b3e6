//! What was seen, before anyone asks about rules.
//!
//! Floor 3. Each worker folds records into its own [`Evidence`]; evidence of
//! any split of the records merges, in any order and grouping, to the same
//! value. It says nothing about rules and nothing about who opened a
//! connection: it keeps what speaks for it. It is folded by conversation and
//! not by connection, so the same talkers cost the same memory however long
//! they talk.

pub mod activity;
pub mod cell;
pub mod cells;
pub mod coverage;
pub mod cuts;
pub mod era;
pub mod gather;
pub mod interface;
pub mod packed;
pub mod pool;
pub mod ports;
pub mod reserve;
pub mod rows;
mod table;
pub mod weight;

use rayon::prelude::*;

use crate::collections::HashMap;
use crate::evidence::cell::Cell;
use crate::evidence::cell::CellKey;
use crate::evidence::era::Eras;
use crate::evidence::interface::InterfaceEvidence;
use crate::evidence::pool::Coarse;
use crate::model::Action;
use crate::model::EniId;
use crate::model::FlowRecord;
use crate::model::Row;
use crate::model::flow::Interval;
use crate::net::Span;
use crate::net::Timestamp;

/// Rows counted by what they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowTally {
    /// Rows with ACCEPT.
    pub accepted: u64,
    /// Rows with REJECT.
    pub rejected: u64,
    /// Rows about traffic without a verdict.
    pub other: u64,
    /// NODATA rows.
    pub no_data: u64,
    /// SKIPDATA rows.
    pub skip_data: u64,
}

impl RowTally {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> u64 {
        let RowTally {
            accepted,
            rejected,
            other,
            no_data,
            skip_data,
        } = *self;
        accepted + rejected + other + no_data + skip_data
    }
}

/// Records that no interface or no time could be given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unplaced {
    /// Records without an interface id.
    pub no_interface: u64,
    /// Records without start and end.
    pub no_time: u64,
    /// Records without addresses, ports or protocol.
    pub no_flow: u64,
}

/// Everything that the rows said, folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// By interface that recorded.
    pub interfaces: HashMap<EniId, InterfaceEvidence>,
    /// First and last second that a row speaks of.
    pub span: Option<Span>,
    /// Rows by kind.
    pub rows: RowTally,
    /// Records that could not be placed.
    pub unplaced: Unplaced,
    /// Where cells stand for more than themselves; `None` where none does.
    pub coarse: Option<Coarse>,
}

impl Evidence {
    /// The interfaces that recorded, by id.
    #[must_use]
    pub fn by_id(&self) -> Vec<(EniId, &InterfaceEvidence)> {
        let interfaces = self.interfaces.iter();
        let mut interfaces: Vec<_> = interfaces.map(|(id, seen)| (*id, seen)).collect();
        interfaces.sort_unstable_by_key(|(id, _)| *id);
        interfaces
    }

    /// Adds what one row says.
    pub fn fold(&mut self, row: &Row, eras: &Eras) {
        match row {
            Row::Flow(record) => self.fold_record(record, eras),
            Row::Other => self.rows.other += 1,
            Row::NoData(interval) => {
                self.rows.no_data += 1;
                self.fold_interval(interval, false);
            }
            Row::SkipData(interval) => {
                self.rows.skip_data += 1;
                self.fold_interval(interval, true);
            }
        }
    }

    fn fold_record(&mut self, record: &FlowRecord, eras: &Eras) {
        match record.action {
            Action::Accept => self.rows.accepted += 1,
            Action::Reject => self.rows.rejected += 1,
        }
        let Some((start, end)) = bounds(record.start, record.end) else {
            self.unplaced.no_time += 1;
            return;
        };
        self.see(start, end);
        let Some(interface_id) = record.interface_id else {
            self.unplaced.no_interface += 1;
            return;
        };
        let interface = self.interfaces.entry(interface_id).or_default();
        interface.observe(start, end);
        match record.action {
            Action::Accept => interface.accept(start, end),
            Action::Reject => interface.reject(start, end),
        }
        if record.efa {
            interface.efa_records += 1;
            return;
        }
        if let Some((key, other_port)) = CellKey::of(record, eras.stretch(start)) {
            interface.add(key, &Cell::of(record, start, end, other_port));
        } else {
            interface.incomplete_records += 1;
            self.unplaced.no_flow += 1;
        }
    }

    fn fold_interval(&mut self, interval: &Interval, lost: bool) {
        let Some((start, end)) = bounds(interval.start, interval.end) else {
            return;
        };
        self.see(start, end);
        let Some(interface_id) = interval.interface_id else {
            return;
        };
        let interface = self.interfaces.entry(interface_id).or_default();
        if lost {
            interface.lose(start, end);
        } else {
            interface.observe(start, end);
        }
    }

    fn see(&mut self, start: Timestamp, end: Timestamp) {
        let span = Span { start, end };
        self.span = Some(self.span.map_or(span, |seen| seen.union(span)));
    }

    /// Gives every cell its era, once everything was folded.
    pub fn settle(&mut self, eras: &Eras) {
        if !eras.is_single() {
            // In hash order, which is lawful: each is settled by itself.
            let mut interfaces: Vec<&mut InterfaceEvidence> =
                self.interfaces.values_mut().collect();
            interfaces
                .par_iter_mut()
                .for_each(|interface| interface.cells.settle(eras));
        }
    }

    /// Adds other evidence; any order and grouping gives the same value.
    pub fn merge(&mut self, other: Evidence) {
        let Evidence {
            interfaces,
            span,
            rows,
            unplaced,
            coarse,
        } = other;
        // What is coarse is merged before it becomes evidence.
        self.coarse = self.coarse.take().or(coarse);
        // In hash order, which is lawful: merging is commutative.
        for (interface_id, theirs) in interfaces {
            self.interfaces
                .entry(interface_id)
                .or_default()
                .merge(theirs);
        }
        if let Some(span) = span {
            self.see(span.start, span.end);
        }
        self.rows += rows;
        self.unplaced += unplaced;
    }
}

/// Start and end of a row, put in order; either stands for a missing other.
fn bounds(start: Option<Timestamp>, end: Option<Timestamp>) -> Option<(Timestamp, Timestamp)> {
    let first = start.or(end)?;
    let last = end.or(start)?;
    Some((first.min(last), first.max(last)))
}

impl std::ops::AddAssign for RowTally {
    fn add_assign(&mut self, other: RowTally) {
        // Bound in full, so that a new counter cannot be forgotten here.
        let RowTally {
            accepted,
            rejected,
            other,
            no_data,
            skip_data,
        } = other;
        self.accepted += accepted;
        self.rejected += rejected;
        self.other += other;
        self.no_data += no_data;
        self.skip_data += skip_data;
    }
}

impl std::ops::AddAssign for Unplaced {
    fn add_assign(&mut self, other: Unplaced) {
        let Unplaced {
            no_interface,
            no_time,
            no_flow,
        } = other;
        self.no_interface += no_interface;
        self.no_time += no_time;
        self.no_flow += no_flow;
    }
}
