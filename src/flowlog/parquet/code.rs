//! One value of one column as 64 bits: the number itself, or that it is absent,
//! wrong, or odd (an IPv6 address, an id without a number), with where to find
//! it. So a batch of any column is a plain list of words.

use std::net::IpAddr;

use crate::flowlog::brief::IdBits;
use crate::flowlog::brief::Interfaces;
use crate::flowlog::fields::Slot;
use crate::flowlog::line::Given;
use crate::flowlog::value;
use crate::flowlog::value::LogStatus;
use crate::model::Action;
use crate::model::EniId;
use crate::model::FlowDirection;

/// Null, `-` or empty. Every code that is no plain number is at least this.
pub(super) const ABSENT: u64 = 1 << 63;
/// Not of its column's kind.
pub(super) const BAD: u64 = ABSENT | 1;
const ODD: u64 = ABSENT | 2;
const ODD_OF_BATCH: u64 = ABSENT | 3;
const ODD_SHIFT: u32 = 8;

/// What a column's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Those of a flow log's column.
    Of(Slot),
    /// A time of so many units a second.
    Time(i64),
    /// `Allowed` or `Blocked`, as OCSF has it.
    Disposition,
    /// OCSF `action_id`: 1 allowed, 2 denied.
    ActionId,
    /// OCSF `activity_id`: 6 traffic, 5 refused.
    ActivityId,
    /// OCSF `direction_id`: 1 inbound, 2 outbound.
    DirectionId,
    /// OCSF `class_uid`: 4001 is network activity.
    ClassUid,
}

/// Values that do not fit a code.
#[derive(Debug, Default)]
pub(super) struct Odds {
    /// Of dictionaries, kept for the whole row group.
    kept: Vec<Given>,
    /// Of the batch.
    batch: Vec<Given>,
}

impl Odds {
    pub(super) fn forget(&mut self) {
        self.kept.clear();
    }

    pub(super) fn forget_batch(&mut self) {
        self.batch.clear();
    }

    fn put(&mut self, given: Given, keep: bool) -> u64 {
        let (list, tag) = if keep {
            (&mut self.kept, ODD)
        } else {
            (&mut self.batch, ODD_OF_BATCH)
        };
        list.push(given);
        // Lists are far shorter than 2^55.
        tag | (list.len() as u64).wrapping_sub(1) << ODD_SHIFT
    }

    /// What a code of an interface or address column stands for.
    pub(super) fn given(&self, slot: Slot, code: u64, interfaces: &Interfaces) -> Option<Given> {
        if code < ABSENT {
            return plain(slot, code, interfaces);
        }
        let at = usize::try_from((code & !ABSENT) >> ODD_SHIFT).ok()?;
        match code & (ABSENT | 0xff) {
            ODD => self.kept.get(at).copied(),
            ODD_OF_BATCH => self.batch.get(at).copied(),
            _ => None,
        }
    }
}

fn plain(slot: Slot, code: u64, interfaces: &Interfaces) -> Option<Given> {
    match slot {
        Slot::InterfaceId => {
            let number = u32::try_from(code).ok()?;
            interfaces.id(number).map(Given::Interface)
        }
        Slot::Srcaddr | Slot::Dstaddr | Slot::PktSrcaddr | Slot::PktDstaddr => {
            let bits = u32::try_from(code).ok()?;
            Some(Given::Address(IpAddr::V4(bits.into())))
        }
        Slot::Srcport
        | Slot::Dstport
        | Slot::Protocol
        | Slot::Packets
        | Slot::Bytes
        | Slot::Start
        | Slot::End
        | Slot::Action
        | Slot::LogStatus
        | Slot::TcpFlags
        | Slot::Type
        | Slot::FlowDirection
        | Slot::RejectReason => Some(Given::Number(code)),
    }
}

impl Kind {
    /// Whether numbers of the file are values of this kind.
    pub(super) fn takes_numbers(self) -> bool {
        match self {
            Kind::Of(slot) => takes_numbers(slot),
            Kind::Disposition => false,
            Kind::Time(_)
            | Kind::ActionId
            | Kind::ActivityId
            | Kind::DirectionId
            | Kind::ClassUid => true,
        }
    }

    /// The code of a number.
    #[inline]
    pub(super) fn of_number(self, number: i64) -> u64 {
        let Ok(plain) = u64::try_from(number) else {
            return BAD;
        };
        match self {
            Kind::Of(slot) if plain <= largest(slot) => plain,
            Kind::Of(_) | Kind::Disposition => BAD,
            Kind::Time(units) => match number.checked_div(units) {
                Some(seconds) if seconds <= value::LAST_SECOND => seconds.unsigned_abs(),
                Some(_) | None => BAD,
            },
            Kind::ActionId | Kind::DirectionId => pick(plain, [1, 2]),
            Kind::ActivityId => pick(plain, [6, 5]),
            Kind::ClassUid => plain,
        }
    }

    /// Appends the codes of numbers: those of flow logs by one comparison each.
    #[inline]
    pub(super) fn of_numbers(self, numbers: impl Iterator<Item = i64>, out: &mut Vec<u64>) {
        match self {
            Kind::Of(slot) => {
                let largest = largest(slot);
                // Below zero is beyond whatever a slot takes.
                let numbers = numbers.map(i64::cast_unsigned);
                out.extend(numbers.map(|number| if number <= largest { number } else { BAD }));
            }
            Kind::Time(_)
            | Kind::Disposition
            | Kind::ActionId
            | Kind::ActivityId
            | Kind::DirectionId
            | Kind::ClassUid => out.extend(numbers.map(|number| self.of_number(number))),
        }
    }

    /// The code of a text; `keep` where it is a dictionary's.
    pub(super) fn of_text(
        self,
        text: &[u8],
        keep: bool,
        odds: &mut Odds,
        interfaces: &mut Interfaces,
    ) -> u64 {
        if matches!(text, b"" | b"-") {
            return ABSENT;
        }
        let code = match self {
            Kind::Of(slot) => return of_slot(slot, text, keep, odds, interfaces),
            Kind::Disposition => match text {
                b"Allowed" => Some(0),
                b"Blocked" => Some(1),
                // It says neither: the next word decides.
                _ => Some(ABSENT),
            },
            Kind::Time(_)
            | Kind::ActionId
            | Kind::ActivityId
            | Kind::DirectionId
            | Kind::ClassUid => value::number(text)
                .and_then(|number| i64::try_from(number).ok())
                .map(|number| self.of_number(number)),
        };
        code.unwrap_or(BAD)
    }
}

/// Where a number stands among two; all others are absent, since they say
/// neither.
fn pick(number: u64, known: [u64; 2]) -> u64 {
    let [first, second] = known;
    if number == first {
        0
    } else if number == second {
        1
    } else {
        ABSENT
    }
}

fn of_slot(
    slot: Slot,
    text: &[u8],
    keep: bool,
    odds: &mut Odds,
    interfaces: &mut Interfaces,
) -> u64 {
    let code = match slot {
        Slot::InterfaceId => return interface(text, keep, odds, interfaces),
        Slot::Srcaddr | Slot::Dstaddr | Slot::PktSrcaddr | Slot::PktDstaddr => {
            return match value::address(text) {
                Some(IpAddr::V4(address)) => u64::from(address.to_bits()),
                Some(address) => odds.put(Given::Address(address), keep),
                None => BAD,
            };
        }
        Slot::Action => value::action(text).map(|action| u64::from(action == Action::Reject)),
        Slot::FlowDirection => {
            value::flow_direction(text).map(|way| u64::from(way == FlowDirection::Egress))
        }
        Slot::LogStatus => value::log_status(text).map(|status| match status {
            LogStatus::Ok => 0,
            LogStatus::NoData => 1,
            LogStatus::SkipData => 2,
        }),
        Slot::RejectReason => Some(u64::from(text == b"BPA")),
        Slot::Type => Some(u64::from(text.eq_ignore_ascii_case(b"EFA"))),
        Slot::Srcport
        | Slot::Dstport
        | Slot::Protocol
        | Slot::TcpFlags
        | Slot::Packets
        | Slot::Bytes
        | Slot::Start
        | Slot::End => value::number(text).filter(|number| *number <= largest(slot)),
    };
    code.unwrap_or(BAD)
}

/// The number of an id, where it can have one.
fn interface(text: &[u8], keep: bool, odds: &mut Odds, interfaces: &mut Interfaces) -> u64 {
    if let Some(number) = id_bits(text).and_then(|bits| interfaces.number(bits, text)) {
        return u64::from(number);
    }
    EniId::from_bytes(text).map_or(BAD, |id| odds.put(Given::Interface(id), keep))
}

/// The bits that the short way of text finds ids by: eight bytes a word.
fn id_bits(text: &[u8]) -> Option<IdBits> {
    // Zeros are what ids are padded with.
    if !(8..=24).contains(&text.len()) || text.contains(&0) {
        return None;
    }
    let mut padded = [0; 24];
    padded.get_mut(..text.len())?.copy_from_slice(text);
    let word = |at: usize| {
        let rest = padded.get(at..)?;
        Some(u64::from_le_bytes(*rest.first_chunk::<8>()?))
    };
    Some([word(0)?, word(8)?, word(16)?])
}

/// Largest value of a column of numbers; 0 of columns of text.
#[inline]
fn largest(slot: Slot) -> u64 {
    match slot {
        Slot::Srcport | Slot::Dstport => 65_535,
        Slot::Protocol | Slot::TcpFlags => 255,
        Slot::Packets | Slot::Bytes => ABSENT - 1,
        Slot::Start | Slot::End => value::LAST_SECOND.unsigned_abs(),
        Slot::InterfaceId
        | Slot::Srcaddr
        | Slot::Dstaddr
        | Slot::Action
        | Slot::LogStatus
        | Slot::Type
        | Slot::PktSrcaddr
        | Slot::PktDstaddr
        | Slot::FlowDirection
        | Slot::RejectReason => 0,
    }
}

fn takes_numbers(slot: Slot) -> bool {
    largest(slot) > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disposition_that_says_neither_leaves_it_to_the_next_word() {
        let mut odds = Odds::default();
        let mut interfaces = Interfaces::default();
        let mut code =
            |text: &[u8]| Kind::Disposition.of_text(text, false, &mut odds, &mut interfaces);
        assert_eq!([code(b"Allowed"), code(b"Blocked")], [0, 1]);
        assert_eq!([code(b"Other"), code(b"-")], [ABSENT, ABSENT]);
    }
}
