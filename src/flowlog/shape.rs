//! The short way to read records that are JSON objects a line: whoever writes
//! them writes the same members in the same order, so what stands between the
//! values of one line stands there in the next. A shape is learned from a line
//! that the plain way ([`flat`](crate::flowlog::flat)) read, and fits another
//! line where all of it but the values is the same, byte by byte. So it may be
//! short of a case, but never of another opinion.

#![expect(
    clippy::inline_always,
    reason = "the loop over records is compiled for each kind of processor"
)]

use crate::flowlog::brief::Brief;
use crate::flowlog::brief::Interfaces;
use crate::flowlog::fields::Field;
use crate::flowlog::fields::Slot;
use crate::flowlog::flat::Columns;
use crate::flowlog::header::Verdicts;
use crate::flowlog::plan::Column;
use crate::flowlog::plan::Fields;
use crate::flowlog::scan::Engine;
use crate::flowlog::scan::Index;
use crate::flowlog::scan::Lanes;

/// Most members of an object whose shape is kept.
const MOST_MEMBERS: usize = 256;

/// What stands in all lines of one writer.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    parts: Vec<Part>,
    /// From behind the last value to the newline.
    tail: Literal,
    /// Quotes of a line, and a newline on each side.
    bounds: usize,
    fields: Fields<Place>,
}

/// One value, and what stands before it.
#[derive(Clone, Debug)]
struct Part {
    before: Literal,
    place: Place,
    quoted: bool,
}

/// Where a value stands among the quotes of its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The quote before it, by number; the newline before the line is 0.
    bound: usize,
    /// Bytes from that quote to the value, itself included.
    before: usize,
    /// Bytes from the value to the next quote, or to the newline.
    behind: usize,
}

impl Column for Place {
    #[inline(always)]
    fn span(self, bounds: &[u16]) -> Option<(usize, usize)> {
        match bounds.get(self.bound..)? {
            [before, behind, ..] => Some((
                usize::from(*before).wrapping_add(self.before),
                usize::from(*behind).checked_sub(self.behind)?,
            )),
            [] | [_] => None,
        }
    }
}

impl Shape {
    /// The shape of a line, without its newline; `None` where it holds anything
    /// but one object of strings without escapes and whole numbers, or lacks
    /// what a [`Brief`] has.
    pub(super) fn of(line: &[u8]) -> Option<Shape> {
        let mut columns = Columns::default();
        let mut parts = Vec::new();
        let mut slots: Vec<(Slot, Place)> = Vec::new();
        let mut scan = Scan {
            line,
            at: 0,
            quotes: 0,
            last_quote: 0,
        };
        let mut end = 0;
        scan.take(b'{')?;
        loop {
            let name = scan.string()?;
            if parts.len() >= MOST_MEMBERS {
                return None;
            }
            scan.blanks();
            scan.take(b':')?;
            scan.blanks();
            let (start, behind, place) = scan.value()?;
            if let Some(slot) = columns.note(name).and_then(Field::slot)
                && !slots.iter().any(|(known, _)| *known == slot)
            {
                slots.push((slot, place));
            }
            parts.push(Part {
                before: Literal::of(line.get(end..start)?),
                place,
                quoted: place.behind == 0,
            });
            end = behind;
            scan.blanks();
            if scan.take(b',').is_none() {
                break;
            }
        }
        scan.take(b'}')?;
        if columns.verdicts() != Verdicts::Given || columns.is_envelope() || !scan.is_at_end() {
            return None;
        }
        let place = |slot: Slot| {
            let found = slots.iter().find(|(known, _)| *known == slot);
            found.map(|(_, place)| *place)
        };
        Some(Shape {
            parts,
            tail: Literal::of(line.get(end..)?),
            bounds: scan.quotes.saturating_add(2),
            fields: Fields::of(place, columns.flags())?,
        })
    }

    /// Whether the same lines fit both.
    fn is_like(&self, other: &Shape) -> bool {
        let same =
            |(one, two): (&Part, &Part)| one.before == two.before && one.quoted == two.quoted;
        self.parts.len() == other.parts.len()
            && self.tail == other.tail
            && self.parts.iter().zip(&other.parts).all(same)
    }

    /// Reads a line; `None` where it does not fit, or the plain way must.
    /// `text` begins where its window does, `bounds` are the line's quotes in
    /// it, from the newline before the line to its own. The window must hold
    /// nothing but ASCII, and no backslash.
    #[inline(always)]
    pub(super) fn read(
        &self,
        text: &[u8],
        bounds: &[u16],
        interfaces: &mut Interfaces,
        lanes: impl Lanes,
    ) -> Option<Brief> {
        if bounds.len() != self.bounds || !self.fits(text, bounds)? {
            return None;
        }
        self.fields.read(text, bounds, interfaces, lanes)
    }

    #[inline(always)]
    fn fits(&self, text: &[u8], bounds: &[u16]) -> Option<bool> {
        let mut end = usize::from(bounds.first()?.wrapping_add(1));
        for part in &self.parts {
            let (start, behind) = part.place.span(bounds)?;
            if !part.before.is(text, end, start) {
                return Some(false);
            }
            if !part.quoted && !is_whole_number(text.get(start..behind)?) {
                return Some(false);
            }
            end = behind;
        }
        Some(self.tail.is(text, end, usize::from(*bounds.last()?)))
    }
}

/// The shapes of late: writers that leave out what is empty have several.
#[derive(Debug)]
pub(super) struct Shapes {
    known: Vec<Shape>,
    /// Which one the last line had.
    last: usize,
    /// Where quotes are found; made when first asked for.
    index: Option<Box<Index>>,
    /// Whether lines are read the short way at all.
    used: bool,
}

/// How many are kept.
const MOST_SHAPES: usize = 8;

impl Default for Shapes {
    fn default() -> Shapes {
        Shapes {
            known: Vec::new(),
            last: 0,
            index: None,
            used: true,
        }
    }
}

impl Shapes {
    /// None, and none will be of use.
    #[cfg(test)]
    pub(super) fn none() -> Shapes {
        Shapes {
            used: false,
            ..Shapes::default()
        }
    }

    /// Lends the index; `None` where every line is read the plain way.
    pub(super) fn take_index(&mut self) -> Option<Box<Index>> {
        let made = || Box::new(Index::new(Engine::best()));
        self.used.then(|| self.index.take().unwrap_or_else(made))
    }

    pub(super) fn give_index(&mut self, index: Box<Index>) {
        self.index = Some(index);
    }

    /// Learns the shape of a line that was a record, in place of the oldest
    /// where there are too many.
    pub(super) fn learn(&mut self, line: &[u8]) {
        let Some(shape) = Shape::of(line) else {
            return;
        };
        if self.known.iter().any(|other| other.is_like(&shape)) {
            return;
        }
        if self.known.len() >= MOST_SHAPES {
            self.known.remove(0);
        }
        self.known.push(shape);
        self.last = self.known.len().saturating_sub(1);
    }

    /// As [`Shape::read`], by the first that fits.
    #[inline(always)]
    pub(super) fn read(
        &mut self,
        text: &[u8],
        bounds: &[u16],
        interfaces: &mut Interfaces,
        lanes: impl Lanes,
    ) -> Option<Brief> {
        let last = self.known.get(self.last)?;
        match last.read(text, bounds, interfaces, lanes) {
            Some(brief) => Some(brief),
            None if self.known.len() > 1 => self.read_by_another(text, bounds, interfaces, lanes),
            None => None,
        }
    }

    #[inline(never)]
    fn read_by_another(
        &mut self,
        text: &[u8],
        bounds: &[u16],
        interfaces: &mut Interfaces,
        lanes: impl Lanes,
    ) -> Option<Brief> {
        for (place, shape) in self.known.iter().enumerate() {
            if let Some(brief) = shape.read(text, bounds, interfaces, lanes) {
                self.last = place;
                return Some(brief);
            }
        }
        None
    }
}

/// A number as JSON has it, which no leading zero has, of up to 19 digits.
#[inline(always)]
fn is_whole_number(token: &[u8]) -> bool {
    match token {
        [] | [b'0', _, ..] => false,
        digits => digits.len() < 20 && digits.iter().all(u8::is_ascii_digit),
    }
}

/// Bytes that are compared by words where they are few.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Literal {
    bytes: Box<[u8]>,
    /// Of 8 to 16 bytes, the first eight and the last; they may overlap.
    words: Option<[u64; 2]>,
}

impl Literal {
    fn of(bytes: &[u8]) -> Literal {
        let words = (8..=16)
            .contains(&bytes.len())
            .then(|| ends(bytes))
            .flatten();
        Literal {
            bytes: bytes.into(),
            words,
        }
    }

    /// Whether it stands from one place to the other.
    #[inline(always)]
    fn is(&self, text: &[u8], start: usize, end: usize) -> bool {
        let Some(given) = text.get(start..end) else {
            return false;
        };
        if given.len() != self.bytes.len() {
            return false;
        }
        match self.words {
            Some(words) => ends(given) == Some(words),
            None => *given == *self.bytes,
        }
    }
}

#[inline(always)]
fn ends(bytes: &[u8]) -> Option<[u64; 2]> {
    let first = u64::from_le_bytes(*bytes.first_chunk::<8>()?);
    let last = u64::from_le_bytes(*bytes.last_chunk::<8>()?);
    Some([first, last])
}

/// Goes along a line once.
struct Scan<'l> {
    line: &'l [u8],
    at: usize,
    /// Quotes behind us, and where the last of them is.
    quotes: usize,
    last_quote: usize,
}

impl<'l> Scan<'l> {
    fn next(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.blanks();
        if self.next()? != byte {
            return None;
        }
        if byte == b'"' {
            self.quotes = self.quotes.saturating_add(1);
            self.last_quote = self.at;
        }
        self.at = self.at.saturating_add(1);
        Some(())
    }

    fn blanks(&mut self) {
        while self.next() == Some(b' ') {
            self.at = self.at.saturating_add(1);
        }
    }

    /// What is in the quotes that come next, where nothing is escaped.
    fn string(&mut self) -> Option<&'l [u8]> {
        self.take(b'"')?;
        let start = self.at;
        while self.next()? != b'"' {
            if self.next()? == b'\\' {
                return None;
            }
            self.at = self.at.saturating_add(1);
        }
        let string = self.line.get(start..self.at);
        self.take(b'"')?;
        string
    }

    /// Where a value starts and ends, quotes left out, and where that is among
    /// the quotes.
    fn value(&mut self) -> Option<(usize, usize, Place)> {
        if self.next()? == b'"' {
            let start = self.at.saturating_add(1);
            let len = self.string()?.len();
            let place = Place {
                bound: self.quotes.saturating_sub(1),
                before: 1,
                behind: 0,
            };
            return Some((start, start.saturating_add(len), place));
        }
        let start = self.at;
        while self.next().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at = self.at.saturating_add(1);
        }
        let place = Place {
            bound: self.quotes,
            before: start.saturating_sub(self.last_quote),
            behind: self.bytes_to_bound(self.at),
        };
        let token = self.line.get(start..self.at)?;
        // Something stands behind it, be it the brace, as long as it is no end.
        (is_whole_number(token) && place.behind > 0).then_some((start, self.at, place))
    }

    /// Bytes from a place to the next quote, or to the end.
    fn bytes_to_bound(&self, place: usize) -> usize {
        let rest = self.line.get(place..).unwrap_or_default();
        rest.iter()
            .position(|byte| *byte == b'"')
            .unwrap_or(rest.len())
    }

    /// Whether nothing follows but a carriage return, or the comma of a list.
    fn is_at_end(&self) -> bool {
        let rest = self.line.get(self.at..).unwrap_or_default();
        matches!(rest, b"" | b"," | b"\r" | b",\r")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flowlog::scan::Words;

    const LINE: &[u8] = br#"{"__time__":1760000000,"eni-id":"eni-bp1aaaa","srcaddr":"10.0.0.1","srcport":53870, "dstaddr":"10.0.0.2","dstport":"80","protocol":"6","start":"1760000000","end":"1760000599","action":"ACCEPT","n":0}"#;

    fn read(shapes: &mut Shapes, line: &[u8]) -> Option<Brief> {
        let text = [line, b"\n"].concat();
        let mut index = Index::new(Engine::best());
        assert!(index.build(&text, b'"'));
        shapes.read(&text, index.bounds(), &mut Interfaces::default(), Words)
    }

    #[test]
    fn what_was_learned_fits_other_values() {
        let mut shapes = Shapes::default();
        assert_eq!(read(&mut shapes, LINE), None);
        shapes.learn(LINE);
        let brief = read(&mut shapes, LINE).unwrap();
        assert_eq!((brief.srcport, brief.dstport), (53_870, 80));
        let text = String::from_utf8(LINE.to_vec()).unwrap();
        let other = text.replace("1760000000,", "17,").replace("53870", "9");
        assert_eq!(read(&mut shapes, other.as_bytes()).unwrap().srcport, 9);
        for (from, to) in [
            ("\"n\":0", "\"m\":0"),
            ("\"n\":0", "\"n\":00"),
            ("\"n\":0", "\"n\":-1"),
            ("\"n\":0", "\"n\":"),
            ("}", "} "),
            ("\"srcaddr\"", "\"dstaddr\""),
            (", \"dst", ",\"dst"),
        ] {
            let other = text.replace(from, to);
            assert_eq!(read(&mut shapes, other.as_bytes()), None, "{to}");
        }
    }
}
