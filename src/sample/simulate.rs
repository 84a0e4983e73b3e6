//! Runs the made-up cloud, minute by minute, and writes what its interfaces
//! record.
//!
//! A short connection's records are all written when it opens; a long one
//! waits in a queue and writes window by window, so that memory holds only the
//! connections that live. The exact number of records is kept by counting, at
//! opening, what a connection is going to write: losses are a function of
//! interface and window alone, so the count is known in advance.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::rc::Rc;

use crate::net::IpProtocol;
use crate::sample::SampleConfig;
use crate::sample::SampleError;
use crate::sample::build::World;
use crate::sample::deliver::Delivery;
use crate::sample::half::Half;
use crate::sample::judge::Fate;
use crate::sample::judge::judge;
use crate::sample::ledger::Ledger;
use crate::sample::line;
use crate::sample::line::Measured;
use crate::sample::line::Texts;
use crate::sample::losses::Losses;
use crate::sample::observe::Ending;
use crate::sample::observe::Observation;
use crate::sample::observe::late;
use crate::sample::observe::observe;
use crate::sample::random::Random;
use crate::sample::random::hash;
use crate::sample::random::scale;
use crate::sample::traffic::Planned;
use crate::sample::traffic::Traffic;
use crate::sample::traffic::forwarded;
use crate::sample::traffic::scan;
use crate::sample::world::Interface;

/// Connections that span at most so many windows write all at once.
const AT_ONCE: u32 = 12;

/// The running cloud.
#[derive(Debug)]
pub(super) struct Simulation<'a> {
    config: &'a SampleConfig,
    pub(super) world: World,
    pub(super) ledger: Ledger,
    pub(super) delivery: Delivery,
    version: u8,
    random: Random,
    traffic: Traffic,
    texts: Vec<Texts>,
    /// Long connections by the window in which they write next.
    queue: BTreeMap<u32, Vec<Observation>>,
    /// Interfaces with records, by window.
    active: BTreeMap<u32, BTreeSet<usize>>,
    tasks: Vec<Rc<Interface>>,
    pub(super) losses: Losses,
    /// Second at which rules change, if they do.
    change_at: Option<u32>,
    /// Records written or sure to be.
    committed: u64,
    scanned: u64,
    scan_per_mille: u64,
}

impl<'a> Simulation<'a> {
    pub(super) fn new(
        config: &'a SampleConfig,
        world: World,
        delivery: Delivery,
    ) -> Simulation<'a> {
        let mut random = Random::new(config.seed);
        let losses = Losses::new(config, &world, &mut random);
        Simulation {
            ledger: Ledger::new(world.rules, config.keeps_connections()),
            version: config.format_version,
            traffic: Traffic::new(config.records),
            texts: Vec::new(),
            queue: BTreeMap::new(),
            active: BTreeMap::new(),
            tasks: Vec::new(),
            change_at: config.change_at(),
            committed: 0,
            scanned: 0,
            scan_per_mille: u64::from(scale_share(config.scan_share)),
            config,
            world,
            delivery,
            random,
            losses,
        }
    }

    /// Runs from the first minute to the last.
    pub(super) fn run(&mut self) -> Result<(), SampleError> {
        let minutes = self.world.seconds / 60;
        let dark = (0..minutes)
            .filter(|minute| self.losses.is_dark(minute * 60))
            .count();
        let lit = minutes.saturating_sub(u32::try_from(dark).unwrap_or(0));
        let mut done = 0;
        for minute in 0..minutes {
            self.renew_tasks(minute);
            self.describe_interfaces();
            if self.losses.is_dark(minute * 60) {
                self.open_unseen(minute, self.config.records / u64::from(lit * 4));
            } else {
                done += 1;
                self.open_until(due(self.config.records, done, lit), minute);
            }
            self.write_queued(minute);
            self.close_window(minute);
            self.delivery.close_before(minute * 60)?;
        }
        // Windows lag behind minutes: the last reaches into the one after.
        self.write_queued(minutes);
        self.delivery.finish()
    }

    /// Opens connections in a minute until so many records are committed.
    fn open_until(&mut self, due: u64, minute: u32) {
        // A cloud in which nothing can be recorded (all of it skipped) must
        // not be tried for ever.
        let mut idle = 0;
        while self.committed < due && idle < 1_000 {
            let before = self.committed;
            let start = minute * 60 + self.random.below(60);
            self.open_one(start, true);
            idle = if self.committed == before {
                idle + 1
            } else {
                0
            };
        }
    }

    /// Opens so many connections in a minute of which nothing is delivered:
    /// what of them lasts longer is seen later, in the middle.
    fn open_unseen(&mut self, minute: u32, connections: u64) {
        for _ in 0..=connections {
            let start = minute * 60 + self.random.below(60);
            self.open_one(start, false);
        }
    }

    /// Opens a connection of some scene, or a scan where those lag behind.
    fn open_one(&mut self, start: u32, scans: bool) {
        let left = self.config.records - self.committed;
        let due = self.committed * self.scan_per_mille;
        let scan_due = scans && self.scanned * 1_000 < due;
        let planned = if scan_due {
            scan(&self.world, &mut self.random, start)
        } else {
            self.traffic
                .next(&self.world, &self.tasks, &mut self.random, start)
        };
        let Some(planned) = planned else {
            return;
        };
        let before = self.committed;
        match self.play(&planned, left) {
            Some(Fate::Passed) => {
                if let Some(onward) = forwarded(&self.world, &planned, &mut self.random) {
                    self.play(&onward, self.config.records - self.committed);
                }
            }
            Some(Fate::RequestOut(_) | Fate::RequestIn(_) | Fate::ReplyOut | Fate::ReplyIn) => {}
            // Too much for what is left: a scan is a record or two.
            None => {
                if let Some(last) = scan(&self.world, &mut self.random, start) {
                    self.play(&last, left);
                }
            }
        }
        if scan_due {
            self.scanned += self.committed - before;
        }
    }

    /// Opens a connection and says how far it got; `None`, and nothing is
    /// opened, where it would write more than is left.
    fn play(&mut self, planned: &Planned, left: u64) -> Option<Fate> {
        let mut planned = planned.clone();
        let verdict = judge(&planned.attempt);
        if verdict.fate != Fate::Passed || planned.ending == Ending::Silent {
            self.give_up_early(&mut planned);
        }
        let attempt = &planned.attempt;
        let number = self.ledger.opened;
        let mut seen = observe(number, attempt, &verdict, planned.ending, planned.every);
        if let Some((after, flags)) = planned.late.filter(|_| verdict.fate == Fate::Passed) {
            let packet = late(number, attempt, after, flags);
            seen.extend(packet.filter(|own| self.exists(&own.interface, own.end)));
        }
        let records = seen.iter().map(|own| self.count(own)).sum::<u64>();
        if records > left {
            return None;
        }
        self.committed += records;
        self.ledger.open(attempt, &verdict, planned.ending);
        for own in seen {
            self.begin(own);
        }
        Some(verdict.fate)
    }

    /// A client without answer sends its request a few times more.
    fn give_up_early(&mut self, planned: &mut Planned) {
        let attempt = &mut planned.attempt;
        let retries = match attempt.protocol {
            IpProtocol::TCP => *self.random.pick(&[0u32, 1, 3, 7]).unwrap_or(&0),
            _ => 0,
        };
        attempt.end = attempt.end.min(attempt.start + retries);
    }

    fn exists(&self, interface: &Interface, second: u32) -> bool {
        second < self.world.seconds && interface.alive(second)
    }

    /// How many lines an observation is going to write.
    fn count(&self, seen: &Observation) -> u64 {
        let (first, _) = seen.windows();
        let windows = std::iter::successors(Some(first), |window| seen.window_after(*window));
        let kept = windows
            .filter(|window| !self.is_lost(seen, *window))
            .count();
        u64::try_from(kept * seen.halves.len()).unwrap_or(0)
    }

    /// Writes an observation, or queues it where it lives on.
    fn begin(&mut self, seen: Observation) {
        let (first, last) = seen.windows();
        if last - first > AT_ONCE {
            self.queue.entry(first).or_default().push(seen);
            return;
        }
        let mut next = Some(first);
        while let Some(window) = next {
            self.write(&seen, window);
            next = seen.window_after(window);
        }
    }

    fn write_queued(&mut self, window: u32) {
        // Everything queued earlier was due earlier.
        while let Some(due) = self.queue.first_entry().filter(|due| *due.key() <= window) {
            let (own, seen) = due.remove_entry();
            for seen in seen {
                self.write(&seen, own);
                if let Some(next) = seen.window_after(own) {
                    self.queue.entry(next).or_default().push(seen);
                }
            }
        }
    }

    /// Writes the lines of one observation in one window.
    fn write(&mut self, seen: &Observation, window: u32) {
        self.active
            .entry(window)
            .or_default()
            .insert(seen.interface.number);
        if self.is_lost(seen, window) {
            self.ledger.lose(seen);
            return;
        }
        let (start, end) = seen.seconds(window);
        for (place, half) in (0u64..).zip(&seen.halves) {
            let (packets, bytes) = self.volume(seen, half, u64::from(window) << 8 | place);
            let measured = Measured {
                packets,
                bytes,
                start,
                end,
                flags: seen.flags(half, window),
            };
            if let Some(texts) = self.texts.get(seen.interface.number) {
                let object = self.delivery.object(end);
                line::flow(object, self.version, texts, seen, half, measured);
                self.ledger
                    .record(seen, half, (packets, bytes), (start, end));
            }
        }
    }

    /// Packets and bytes of a line: made up, but always the same ones.
    fn volume(&self, seen: &Observation, half: &Half, line: u64) -> (u64, u64) {
        let bits = hash(self.config.seed ^ seen.connection, line, 7);
        let spread = |bound| u64::from(scale(bits, bound));
        if half.reject.is_some() || seen.halves.len() == 1 {
            // Nothing but tries.
            let packets = u64::from((seen.end - seen.start).div_ceil(3)) + 1;
            return (packets, packets * (40 + 4 * spread(6)));
        }
        let packets = match seen.protocol {
            IpProtocol::TCP => 4 + spread(40),
            _ => 1 + spread(4),
        };
        let size = u64::from(scale(bits.rotate_left(32), 1_300)) + 52;
        (packets, packets * size)
    }

    fn is_lost(&self, seen: &Observation, window: u32) -> bool {
        let (_, end) = seen.seconds(window);
        self.losses.is_dark(end) || self.losses.is_skipped(&seen.interface, window)
    }

    /// Writes the NODATA and SKIPDATA lines of a window in which no record can
    /// come any more.
    fn close_window(&mut self, window: u32) {
        let active = self.active.remove(&window).unwrap_or_default();
        for number in 0..self.world.interfaces.len() {
            let Some(interface) = self.world.interfaces.get(number).map(Rc::clone) else {
                return;
            };
            let (start, end) = interface.window(window);
            let alive = interface.alive(start) && interface.alive(end);
            if !interface.logged() || !alive || window == 0 || self.losses.is_dark(end) {
                continue;
            }
            if self.losses.is_skipped(&interface, window) {
                self.ledger.lines.skip_data += 1;
                self.write_gap(&interface, (start, end), "SKIPDATA");
            } else if !active.contains(&number) && self.losses.tells_no_data(&interface, window) {
                self.ledger.no_data(&interface);
                self.write_gap(&interface, (start, end), "NODATA");
            }
        }
    }

    fn write_gap(&mut self, interface: &Interface, seconds: (u32, u32), status: &str) {
        if let Some(texts) = self.texts.get(interface.number) {
            let object = self.delivery.object(seconds.1);
            line::gap(object, self.version, texts, seconds, status);
        }
    }

    /// Ends tasks whose time is over and starts others in their place.
    fn renew_tasks(&mut self, minute: u32) {
        if !self.config.churn {
            return;
        }
        let slots = (self.world.interfaces.len() / 20).clamp(2, 60);
        let now = minute * 60;
        for slot in 0..slots {
            if self
                .tasks
                .get(slot)
                .is_some_and(|task| task.alive(now + 59))
            {
                continue;
            }
            let until = now + self.random.within(10, 40) * 60;
            if let Some(task) = self.start_task(slot, now, until) {
                match self.tasks.get_mut(slot) {
                    Some(place) => *place = task,
                    None => self.tasks.push(task),
                }
            }
        }
    }

    fn start_task(&mut self, slot: usize, from: u32, until: u32) -> Option<Rc<Interface>> {
        let slot = u32::try_from(slot).ok()?;
        let mut task = self.world.new_task(slot, from, until)?;
        task.listed = match self.change_at {
            None => until >= self.world.seconds,
            Some(change) => from == 0 || (task.alive(change)),
        };
        Some(self.world.add(task))
    }

    /// Prepares the texts of interfaces that are new.
    fn describe_interfaces(&mut self) {
        for interface in self.world.interfaces.iter().skip(self.texts.len()) {
            self.texts.push(Texts::of(interface, self.version));
        }
    }
}

/// Records that are due at the end of the first `done` of `all` minutes.
fn due(records: u64, done: u32, all: u32) -> u64 {
    let share = u128::from(records) * u128::from(done) / u128::from(all.max(1));
    u64::try_from(share).unwrap_or(records)
}

/// A share as parts of a thousand.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=1000 just before"
)]
fn scale_share(share: f64) -> u32 {
    (share * 1_000.0).clamp(0.0, 1_000.0) as u32
}
