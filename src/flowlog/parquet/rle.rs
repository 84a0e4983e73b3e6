//! The hybrid of runs and packed bits that holds levels and dictionary indices
//! (Parquet format, "Encodings", RLE/bit-packing hybrid).

use std::ops::Range;

use crate::flowlog::error::FormError;
use crate::flowlog::parquet::bits::unpack;

/// Numbers of a fixed width, read front to back from a stretch of a page, which
/// every call is given anew: so a page's memory is used again for the next.
#[derive(Clone, Debug)]
pub(super) struct Rle {
    /// What is left of the stretch, run headers included.
    at: usize,
    end: usize,
    width: u32,
    run: Run,
}

#[derive(Clone, Copy, Debug)]
enum Run {
    /// The same number, so many times.
    Same(u32, usize),
    /// So many packed numbers, the next of which begins at this bit.
    Packed { left: usize, bit: usize },
}

impl Rle {
    /// Reads numbers of so many bits, which stand there in the page.
    pub(super) fn new(stretch: Range<usize>, width: u32) -> Result<Rle, FormError> {
        if width > 32 {
            return Err(FormError::damaged("numbers wider than 32 bits"));
        }
        Ok(Rle {
            at: stretch.start,
            end: stretch.end,
            width,
            run: Run::Same(0, 0),
        })
    }

    /// The number that comes next and how often, up to `most`, where a run of
    /// equal ones goes on; `None` where packed ones do.
    #[inline]
    pub(super) fn same(
        &mut self,
        page: &[u8],
        most: usize,
    ) -> Result<Option<(u32, usize)>, FormError> {
        self.begin(page)?;
        let Run::Same(value, left) = &mut self.run else {
            return Ok(None);
        };
        let count = most.min(*left);
        *left = left.saturating_sub(count);
        Ok(Some((*value, count)))
    }

    /// Appends what is made of packed numbers, up to `most`, and says how many;
    /// at least one where [`Rle::same`] just answered `None`.
    pub(super) fn packed<T>(
        &mut self,
        page: &[u8],
        most: usize,
        make: impl FnMut(u32) -> T,
        out: &mut Vec<T>,
    ) -> usize {
        let Run::Packed { left, bit } = &mut self.run else {
            return 0;
        };
        let count = most.min(*left);
        let data = page.get(..self.end).unwrap_or_default();
        unpack(data, *bit, self.width, count, make, out);
        *bit = bit.saturating_add(count.saturating_mul(self.width as usize));
        *left = left.saturating_sub(count);
        count
    }

    /// Takes back the number that was read last, alone.
    pub(super) fn give_back(&mut self) {
        match &mut self.run {
            Run::Same(_, left) => *left = left.saturating_add(1),
            Run::Packed { left, bit } => {
                *left = left.saturating_add(1);
                *bit = bit.saturating_sub(self.width as usize);
            }
        }
    }

    /// Starts the next run where this one is over.
    #[inline]
    fn begin(&mut self, page: &[u8]) -> Result<(), FormError> {
        while matches!(self.run, Run::Same(_, 0) | Run::Packed { left: 0, .. }) {
            let header = self.varint(page)?;
            let count = usize::try_from(header >> 1).unwrap_or(usize::MAX);
            self.run = if header & 1 == 0 {
                Run::Same(self.repeated(page)?, count)
            } else {
                self.groups(count)?
            };
        }
        Ok(())
    }

    fn repeated(&mut self, page: &[u8]) -> Result<u32, FormError> {
        let bytes = self.width.div_ceil(8) as usize;
        let mut value = [0; 4];
        let end = self.at.saturating_add(bytes);
        let given = page.get(self.at..end.min(self.end));
        let given = given
            .filter(|given| given.len() == bytes)
            .ok_or_else(ends)?;
        for (to, from) in value.iter_mut().zip(given) {
            *to = *from;
        }
        self.at = end;
        Ok(u32::from_le_bytes(value))
    }

    /// Groups of eight; the last may lack the bytes that only pad it.
    fn groups(&mut self, groups: usize) -> Result<Run, FormError> {
        let left = groups.saturating_mul(8);
        let bytes = groups.saturating_mul(self.width as usize);
        let bit = self.at.saturating_mul(8);
        let rest = self.end.saturating_sub(self.at);
        let whole = rest.saturating_mul(8).checked_div(self.width as usize);
        self.at = self.at.saturating_add(bytes.min(rest));
        let left = left.min(whole.unwrap_or(left));
        if left == 0 && groups > 0 {
            return Err(ends());
        }
        Ok(Run::Packed { left, bit })
    }

    fn varint(&mut self, page: &[u8]) -> Result<u32, FormError> {
        let mut value = 0_u32;
        for shift in (0..35).step_by(7) {
            let byte = page.get(..self.end).and_then(|data| data.get(self.at));
            let byte = *byte.ok_or_else(ends)?;
            self.at = self.at.saturating_add(1);
            value |= u32::from(byte & 0x7f).wrapping_shl(shift);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(FormError::damaged("a run of impossible length"))
    }
}

#[cold]
fn ends() -> FormError {
    FormError::damaged("a page ends within its numbers")
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::any;
    use proptest::prop_assert_eq;
    use proptest::proptest;

    use super::*;

    fn all(data: &[u8], width: u32, count: usize, step: usize) -> Result<Vec<u32>, FormError> {
        let mut rle = Rle::new(0..data.len(), width)?;
        let mut out = Vec::new();
        while out.len() < count {
            let left = count - out.len();
            match rle.same(data, left.min(step))? {
                Some((value, times)) => out.extend(std::iter::repeat_n(value, times)),
                None => {
                    rle.packed(data, left.min(step), |number| number, &mut out);
                }
            }
        }
        Ok(out)
    }

    /// Writes every number: pairs in a run, and groups of eight packed.
    fn written(numbers: &[u32], width: u32) -> Vec<u8> {
        let mut out = Vec::new();
        for chunk in numbers.chunks(8) {
            if chunk.len() < 8 || chunk.iter().all(|number| *number == chunk[0]) {
                for number in chunk {
                    out.push(2);
                    out.extend(&number.to_le_bytes()[..width.div_ceil(8) as usize]);
                }
                continue;
            }
            out.push(3);
            let mut bits = vec![0_u8; width as usize];
            for (place, number) in chunk.iter().enumerate() {
                for bit in 0..width as usize {
                    let at = place * width as usize + bit;
                    bits[at / 8] |= ((number >> bit & 1) as u8) << (at % 8);
                }
            }
            out.extend(bits);
        }
        out
    }

    proptest! {
        #[test]
        fn numbers_come_back(
            width in 0_u32..=32,
            numbers in vec(any::<u32>(), 0..100),
            step in 1_usize..40,
        ) {
            let mask = u32::try_from((1_u64 << width) - 1).unwrap();
            let numbers: Vec<u32> = numbers.into_iter().map(|number| number & mask).collect();
            let data = written(&numbers, width);
            prop_assert_eq!(all(&data, width, numbers.len(), step).unwrap(), numbers);
        }

        #[test]
        fn any_bytes_are_numbers_or_damage(data in vec(any::<u8>(), 0..60), width in 0_u32..40) {
            // That it ends is the law.
            let _ended = all(&data, width, 500, 3);
        }
    }
}
