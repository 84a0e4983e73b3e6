//! The common record in short: IPv4, every field of the five-tuple and the
//! interval given. Nearly all lines are such; they are read by a shorter way
//! and handed on in this form. [`Brief::record`] says what each is in full, so
//! whoever does not care for the difference sees none.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use crate::collections::HashMap;
use crate::model::Action;
use crate::model::EniId;
use crate::model::FlowDirection;
use crate::model::FlowRecord;
use crate::model::TcpFlags;
use crate::net::IpProtocol;
use crate::net::Timestamp;

/// A record with a verdict, IPv4 addresses, and nothing of its flow missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brief {
    /// The interface's number in the [`Interfaces`] it comes with.
    pub interface: u32,
    /// `srcaddr`.
    pub srcaddr: u32,
    /// `dstaddr`.
    pub dstaddr: u32,
    /// `pkt-srcaddr`, where the log has it.
    pub pkt_srcaddr: Option<u32>,
    /// `pkt-dstaddr`, where the log has it.
    pub pkt_dstaddr: Option<u32>,
    /// Source port as the line has it.
    pub srcport: u16,
    /// Destination port as the line has it.
    pub dstport: u16,
    /// Protocol.
    pub protocol: IpProtocol,
    /// ACCEPT or REJECT.
    pub action: Action,
    /// Packets; a record of 2^32 and more is not brief.
    pub packets: u32,
    /// Bytes.
    pub bytes: u64,
    /// First packet, in seconds since 1970.
    pub start: u32,
    /// Last packet, likewise.
    pub end: u32,
    /// Flags, where the line has them.
    pub tcp_flags: Option<TcpFlags>,
    /// Way across the interface, where the line has it.
    pub flow_direction: Option<FlowDirection>,
    /// Block Public Access dropped it.
    pub block_public_access: bool,
}

impl Brief {
    /// The same record in full.
    #[must_use]
    pub fn record(&self, interfaces: &Interfaces) -> FlowRecord {
        let address = |bits: u32| IpAddr::V4(Ipv4Addr::from_bits(bits));
        let Brief {
            interface,
            srcaddr,
            dstaddr,
            pkt_srcaddr,
            pkt_dstaddr,
            srcport,
            dstport,
            protocol,
            action,
            packets,
            bytes,
            start,
            end,
            tcp_flags,
            flow_direction,
            block_public_access,
        } = *self;
        FlowRecord {
            action,
            interface_id: interfaces.id(interface),
            srcaddr: Some(address(srcaddr)),
            dstaddr: Some(address(dstaddr)),
            pkt_srcaddr: pkt_srcaddr.map(address),
            pkt_dstaddr: pkt_dstaddr.map(address),
            srcport: Some(srcport),
            dstport: Some(dstport),
            protocol: Some(protocol),
            packets: u64::from(packets),
            bytes,
            start: Some(Timestamp(i64::from(start))),
            end: Some(Timestamp(i64::from(end))),
            tcp_flags,
            flow_direction,
            block_public_access,
            efa: false,
        }
    }
}

/// Most interfaces that get numbers; records of further ones are not brief.
pub const MOST_INTERFACES: usize = 1 << 20;

/// Bits of an interface's id as the line has it, zeros behind: up to 24 bytes.
pub(super) type IdBits = [u64; 3];

/// Interfaces by number, in the order they were first seen.
#[derive(Clone, Debug)]
pub struct Interfaces {
    ids: Vec<EniId>,
    numbers: HashMap<IdBits, u32>,
    /// Those asked for lately, each where its bits say, so that neither bursts
    /// nor a mix of interfaces costs a guess. Zeros are no id.
    /// Invariant: [`RECENT`] long.
    recent: Vec<(IdBits, u32)>,
}

/// How many interfaces are found without a search.
const RECENT: usize = 1 << RECENT_BITS;
const RECENT_BITS: u32 = 10;

impl Default for Interfaces {
    fn default() -> Interfaces {
        Interfaces {
            ids: Vec::new(),
            numbers: HashMap::default(),
            recent: vec![([0; 3], 0); RECENT],
        }
    }
}

impl Interfaces {
    /// The id of a number.
    #[must_use]
    pub fn id(&self, number: u32) -> Option<EniId> {
        self.ids.get(number as usize).copied()
    }

    /// The ids, by number.
    #[must_use]
    pub fn ids(&self) -> &[EniId] {
        &self.ids
    }

    /// The number of an id given by its bits and its text; `None` where it is
    /// none, or one too many.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "it is compiled for the caller's processor"
    )]
    pub(super) fn number(&mut self, bits: IdBits, text: &[u8]) -> Option<u32> {
        let place = place_of(bits);
        match self.recent.get(place) {
            Some((recent, number)) if *recent == bits => Some(*number),
            Some(_) | None => self.look_up(bits, text, place),
        }
    }

    /// The number of an id; `None` where it is too long, or one too many.
    pub fn number_of(&mut self, id: EniId) -> Option<u32> {
        let text = id.as_str().as_bytes();
        let mut padded = [0; 24];
        padded.get_mut(..text.len())?.copy_from_slice(text);
        let (words, _) = padded.as_chunks::<8>();
        let [one, two, three] = *words else {
            return None;
        };
        self.number([one, two, three].map(u64::from_le_bytes), text)
    }

    #[inline(never)]
    fn look_up(&mut self, bits: IdBits, text: &[u8], place: usize) -> Option<u32> {
        let number = match self.numbers.get(&bits) {
            Some(number) => *number,
            None => self.enter(bits, text)?,
        };
        if let Some(recent) = self.recent.get_mut(place) {
            *recent = (bits, number);
        }
        Some(number)
    }

    #[cold]
    fn enter(&mut self, bits: IdBits, text: &[u8]) -> Option<u32> {
        let id = EniId::from_bytes(text)?;
        if self.ids.len() >= MOST_INTERFACES {
            return None;
        }
        let number = u32::try_from(self.ids.len()).ok()?;
        self.ids.push(id);
        self.numbers.insert(bits, number);
        Some(number)
    }
}

/// Where an id stands among the recent ones. Ids are random digits, so a few
/// bits of each word will do.
#[inline]
fn place_of(bits: IdBits) -> usize {
    let [front, middle, back] = bits;
    let mixed = middle ^ front.rotate_left(29) ^ back.rotate_left(11);
    let spread = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(spread >> (64 - RECENT_BITS)).unwrap_or(0)
}
