//! Several digests taken as one: every object once, however many of them have
//! read it, and each of its days from one place. What comes out depends on the
//! set of objects alone, not on which digest or batch holds which, nor on their
//! order.
//!
//! Of copies of one object the lesser entry stands, a readable one first. An
//! object that could not be read to its end gives way to one that could and
//! that lay at the same place: it was delivered anew.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::collections::HashMap;
use crate::collections::HashSet;
use crate::digest::entry::Entry;
use crate::digest::entry::Identity;
use crate::digest::error::DigestError;
use crate::digest::folder::Digest;
use crate::digest::units::Unit;

/// Digests as one.
#[derive(Debug, Default)]
pub struct Union {
    digests: Vec<Digest>,
    /// The objects, by identity. `days` are those whose evidence is there,
    /// `dropped` the others.
    pub objects: Vec<Entry>,
    /// Files of evidence that are needed, by day.
    pub files: Vec<DayFile>,
}

/// What one batch holds of one day, and what of it counts.
#[derive(Debug)]
pub struct DayFile {
    /// The day since the epoch.
    pub day: i64,
    digest: usize,
    batch: usize,
    /// By the batch's number of an object: its number here, if its rows of
    /// this day are taken from this batch.
    numbers: Vec<Option<u32>>,
}

/// Where an entry is: digest, batch, number.
type Place = (usize, usize, usize);

impl Union {
    /// Takes digests as one.
    #[must_use]
    pub fn of(digests: Vec<Digest>) -> Union {
        let copies = copies(&digests);
        let mut objects = Vec::with_capacity(copies.len());
        let mut files: BTreeMap<(i64, usize, usize), Vec<Option<u32>>> = BTreeMap::new();
        let superseded = superseded(&digests, &copies);
        let standing = copies
            .into_iter()
            .filter(|(identity, _)| !superseded.contains(identity));
        for ((_, places), number) in standing.zip(0_u32..) {
            let (entry, picked) = joined(&digests, &places);
            objects.push(entry);
            for (day, (digest, batch, object)) in picked {
                let entries = entries(&digests, digest, batch).len();
                let numbers = files.entry((day, digest, batch));
                let numbers = numbers.or_insert_with(|| vec![None; entries]);
                if let Some(slot) = numbers.get_mut(object) {
                    *slot = Some(number);
                }
            }
        }
        let files = files
            .into_iter()
            .map(|((day, digest, batch), numbers)| DayFile {
                day,
                digest,
                batch,
                numbers,
            });
        Union {
            files: files.collect(),
            objects,
            digests,
        }
    }

    /// Reads what counts of a file; objects are numbered as in
    /// [`Union::objects`].
    ///
    /// # Errors
    /// Where the file is missing or damaged.
    pub fn read(&self, file: &DayFile, mut each: impl FnMut(Unit)) -> Result<(), DigestError> {
        let Some(digest) = self.digests.get(file.digest) else {
            return Ok(());
        };
        let Some(batch) = digest.batches.get(file.batch) else {
            return Ok(());
        };
        digest.read_day(batch, file.day, |unit| {
            let number = usize::try_from(unit.object).ok();
            let number = number.and_then(|number| file.numbers.get(number).copied().flatten());
            if let Some(object) = number {
                each(Unit { object, ..*unit });
            }
        })
    }

    /// What tells whether an object was read already.
    #[must_use]
    pub fn known(&self) -> Known {
        let entries = self
            .digests
            .iter()
            .flat_map(|digest| &digest.batches)
            .flat_map(|batch| &batch.entries);
        let mut known = Known::default();
        for entry in entries {
            known.add(entry);
        }
        known
    }
}

/// Which objects were read.
#[derive(Clone, Debug, Default)]
pub struct Known {
    versions: HashSet<(String, u64, String)>,
    identities: HashSet<Identity>,
    /// Own names and sizes, to be asked before a checksum is worked out.
    sizes: HashSet<(String, u64)>,
}

impl Known {
    /// Notes an object.
    pub fn add(&mut self, entry: &Entry) {
        let version = (entry.place.clone(), entry.size, entry.version.clone());
        self.versions.insert(version);
        self.identities.insert(entry.identity());
        let own = crate::digest::entry::last_part(&entry.name).to_owned();
        self.sizes.insert((own, entry.size));
    }

    /// Whether this version of what lies there was read.
    #[must_use]
    pub fn has_version(&self, place: &str, size: u64, version: &str) -> bool {
        let version = (place.to_owned(), size, version.to_owned());
        !version.2.is_empty() && self.versions.contains(&version)
    }

    /// Whether an object of this name and size was read, so that its checksum
    /// is worth working out.
    #[must_use]
    pub fn may_have(&self, name: &str, size: u64) -> bool {
        let own = crate::digest::entry::last_part(name).to_owned();
        self.sizes.contains(&(own, size))
    }

    /// Whether the object was read, wherever it lay.
    #[must_use]
    pub fn has(&self, identity: &Identity) -> bool {
        self.identities.contains(identity)
    }
}

fn entries(digests: &[Digest], digest: usize, batch: usize) -> &[Entry] {
    let batch = digests
        .get(digest)
        .and_then(|digest| digest.batches.get(batch));
    batch.map_or(&[], |batch| &batch.entries)
}

fn entry(digests: &[Digest], (digest, batch, object): Place) -> Option<&Entry> {
    entries(digests, digest, batch).get(object)
}

fn copies(digests: &[Digest]) -> BTreeMap<Identity, Vec<Place>> {
    let mut copies: BTreeMap<Identity, Vec<Place>> = BTreeMap::new();
    for (digest, one) in digests.iter().enumerate() {
        for (batch, one) in one.batches.iter().enumerate() {
            for (object, entry) in one.entries.iter().enumerate() {
                copies
                    .entry(entry.identity())
                    .or_default()
                    .push((digest, batch, object));
            }
        }
    }
    copies
}

/// Objects that were not read to their end, where what lay at the same place
/// once was.
fn superseded(digests: &[Digest], copies: &BTreeMap<Identity, Vec<Place>>) -> BTreeSet<Identity> {
    let mut sound: HashMap<&str, Vec<&Identity>> = HashMap::default();
    let all = |places: &[Place]| -> Vec<&Entry> {
        places
            .iter()
            .filter_map(|place| entry(digests, *place))
            .collect()
    };
    for (identity, places) in copies {
        for entry in all(places)
            .into_iter()
            .filter(|entry| entry.unreadable.is_none())
        {
            sound.entry(&entry.place).or_default().push(identity);
        }
    }
    let gives_way = |places: &[Place]| {
        let entries = all(places);
        entries.iter().all(|entry| entry.unreadable.is_some())
            && entries
                .iter()
                .any(|entry| sound.contains_key(entry.place.as_str()))
    };
    copies
        .iter()
        .filter(|(_, places)| gives_way(places))
        .map(|(identity, _)| identity.clone())
        .collect()
}

/// One entry of all copies of an object, and where each of its days is taken
/// from.
fn joined(digests: &[Digest], places: &[Place]) -> (Entry, BTreeMap<i64, Place>) {
    let mut days: BTreeMap<i64, u64> = BTreeMap::new();
    let mut picked: BTreeMap<i64, Place> = BTreeMap::new();
    let mut best: Option<&Entry> = None;
    for place in places {
        let Some(own) = entry(digests, *place) else {
            continue;
        };
        let is_less =
            |best: &Entry| (own.unreadable.is_some(), own) < (best.unreadable.is_some(), best);
        if best.is_none_or(is_less) {
            best = Some(own);
        }
        for (day, rows) in own.days.iter().chain(&own.dropped) {
            days.entry(*day)
                .and_modify(|most| *most = (*most).max(*rows))
                .or_insert(*rows);
        }
        for day in own
            .days
            .keys()
            .filter(|day| has_day(digests, *place, **day))
        {
            picked.entry(*day).or_insert(*place);
        }
    }
    let (there, dropped) = days
        .into_iter()
        .partition(|(day, _)| picked.contains_key(day));
    let entry = Entry {
        days: there,
        dropped,
        ..best.cloned().unwrap_or_default()
    };
    (entry, picked)
}

fn has_day(digests: &[Digest], (digest, batch, _): Place, day: i64) -> bool {
    let batch = digests
        .get(digest)
        .and_then(|digest| digest.batches.get(batch));
    batch.is_some_and(|batch| batch.days.contains(&day))
}
