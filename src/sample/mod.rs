//! A made-up cloud: its flow logs, its snapshot, and the truth of every
//! connection, so that the whole tool can be tried and measured without
//! anybody's real logs.
//!
//! Everything follows from the seed: equal configurations give equal bytes.
//! The simulation has its own notion of rules, references, network ACLs and
//! tracking (`judge`) and shares no code with attribution, so that the two
//! can be held against each other. Only `net`, `model` and `collections` are
//! below it.
//!
//! - `blueprint` says in tables what the cloud consists of, `notation`
//!   reads it, `build` builds it at any size;
//! - `scenes` and `traffic` make up connections, `judge` says how far
//!   each gets, `observe` what the interfaces on its way see of it,
//!   `half` by `half`;
//! - `simulate` runs the clock and writes lines (`line`, `deliver`) where
//!   no `losses` forbid it;
//! - `ledger` keeps the truth of what was written; `truth` and
//!   `snapshot` write it, and the configuration, as JSON.

mod blueprint;
mod build;
mod deliver;
mod form;
mod half;
mod judge;
mod ledger;
mod line;
mod losses;
mod notation;
mod observe;
mod random;
mod scenes;
mod simulate;
mod snapshot;
mod traffic;
mod truth;
mod world;

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use thiserror::Error;

pub use crate::sample::form::Form;

use crate::model::Provider;
use crate::sample::build::Plan;
use crate::sample::build::World;
use crate::sample::deliver::Delivery;
use crate::sample::deliver::Wrapping;
use crate::sample::simulate::Simulation;

/// Records up to which [`Truth::Full`] lists connections; larger samples get
/// [`Truth::Summary`].
pub const FULL_TRUTH_RECORDS: u64 = 2_000_000;

/// How much of the truth is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// Rules, REJECTs and every connection, up to [`FULL_TRUTH_RECORDS`].
    Full,
    /// Rules and REJECTs.
    Summary,
    /// Nothing: only logs and snapshot.
    None,
}

/// What sample to make.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own, in any combination"
)]
#[derive(Clone, Debug, PartialEq)]
pub struct SampleConfig {
    /// Folder that gets `logs`, `snapshot` and `truth.json`; made if need be.
    pub out: PathBuf,
    /// Lines about traffic (ACCEPT or REJECT), exactly; NODATA and SKIPDATA
    /// lines come on top.
    pub records: u64,
    /// The cloud to imitate.
    pub provider: Provider,
    /// Everything random follows from it.
    pub seed: u64,
    /// Format version, 2 to 11 without 6: all fields up to that version in the
    /// order of the documentation; 2 is the default format.
    pub format_version: u8,
    /// About how many interfaces the cloud has, from 32 to 5,000; `None`: one
    /// for every 25,000 records, 42 to 400.
    pub interfaces: Option<u32>,
    /// Length of the window in days, from one hour (0.05) to 400.
    pub days: f64,
    /// Share of interface-minutes whose records are lost, 0 to 1, each told by
    /// one SKIPDATA line.
    pub skip_share: f64,
    /// Share of the records that are scans from the Internet, 0 to 1.
    pub scan_share: f64,
    /// Hours in which nothing at all is delivered, at most a quarter of the
    /// window.
    pub dark_hours: u32,
    /// Whether tasks come and go within minutes, each with an interface that
    /// the snapshot mostly does not know, on addresses used before.
    pub churn: bool,
    /// Whether some rules change in the middle of the window; the snapshot is
    /// then two dated folders. A connection is judged by the rules of its first
    /// second and lives on under them.
    pub rule_changes: bool,
    /// Whether the cloud speaks IPv6 too.
    pub ipv6: bool,
    /// At least how many log objects in a window without gaps; `None`: one for
    /// every five minutes, more where those would exceed 200,000 records.
    pub files: Option<u32>,
    /// Whether objects are plain text instead of gzip.
    pub plain: bool,
    /// How logs are delivered; OCSF of formats without `flow-direction` loses
    /// which end of a record the interface is on.
    pub form: Form,
    /// How much of the truth is written.
    pub truth: Truth,
}

impl Default for SampleConfig {
    fn default() -> SampleConfig {
        SampleConfig {
            out: PathBuf::from("sample"),
            records: 100_000,
            provider: Provider::Aws,
            seed: 1,
            format_version: 5,
            interfaces: None,
            days: 1.0,
            skip_share: 0.001,
            scan_share: 0.2,
            dark_hours: 1,
            churn: false,
            rule_changes: false,
            ipv6: false,
            files: None,
            plain: false,
            form: Form::Text,
            truth: Truth::Full,
        }
    }
}

impl SampleConfig {
    fn check(&self) -> Result<(), SampleError> {
        match self.format_version {
            2..=5 | 7..=11 => {}
            6 => return Err(SampleError::TransitGatewayVersion),
            version => return Err(SampleError::Version(version)),
        }
        let one_format = self.format_version == 5 && !self.ipv6;
        if self.provider == Provider::Alibaba && !one_format {
            return Err(SampleError::OneFormat);
        }
        if self.form.provider() != self.provider {
            return Err(SampleError::Form);
        }
        for (name, share) in [("skip", self.skip_share), ("scan", self.scan_share)] {
            if !(0.0..=1.0).contains(&share) {
                return Err(SampleError::Share { name, share });
            }
        }
        if !(0.04..=400.0).contains(&self.days) {
            return Err(SampleError::Days(self.days));
        }
        match self.interfaces {
            Some(count) if !(32..=5_000).contains(&count) => Err(SampleError::Interfaces(count)),
            Some(_) | None => Ok(()),
        }
    }

    /// Length of the window in seconds, whole minutes.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "days were checked to be 0.04 to 400"
    )]
    fn seconds(&self) -> u32 {
        (self.days * 1_440.0).round() as u32 * 60
    }

    fn change_at(&self) -> Option<u32> {
        self.rule_changes.then(|| self.seconds() / 2)
    }

    fn interface_count(&self) -> u32 {
        let wanted = u32::try_from(self.records / 25_000).unwrap_or(u32::MAX);
        self.interfaces.unwrap_or(wanted.clamp(42, 400))
    }

    fn keeps_connections(&self) -> bool {
        self.truth == Truth::Full && self.records <= FULL_TRUTH_RECORDS
    }

    /// Objects of each five minutes.
    fn spread(&self) -> u32 {
        let slots = (self.seconds() / 300).max(1);
        let records = u32::try_from(self.records / u64::from(slots)).unwrap_or(u32::MAX);
        let wanted = records.div_ceil(200_000).max(1);
        self.files
            .map_or(wanted, |files| files.div_ceil(slots).max(1))
    }
}

/// What was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Lines about traffic.
    pub records: u64,
    /// Connections opened or tried.
    pub connections: u64,
    /// Log objects.
    pub files: u64,
    /// Bytes of the log objects as written.
    pub bytes: u64,
    /// Bytes of their text, headers included.
    pub text_bytes: u64,
}

/// Why no sample could be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SampleError {
    /// Version 6.
    #[error("format version `6` is for transit gateways only: choose 2 to 5 or 7 to 11")]
    TransitGatewayVersion,
    /// No such version.
    #[error("format version `{0}` is not known: choose 2 to 5 or 7 to 11")]
    Version(u8),
    /// Alibaba Cloud with the choices that AWS has.
    #[error(
        "flow logs of Alibaba Cloud have one format, and IPv4 alone: leave out the format version and IPv6"
    )]
    OneFormat,
    /// A form of another cloud.
    #[error("the cloud does not deliver flow logs in that form")]
    Form,
    /// A share outside 0 to 1.
    #[error("{name} share `{share}` is not a share: choose 0 to 1")]
    Share {
        /// Which.
        name: &'static str,
        /// What was asked.
        share: f64,
    },
    /// A window too short or too long.
    #[error("`{0}` days is too short or too long a window: choose 0.04 to 400")]
    Days(f64),
    /// Too few or too many interfaces.
    #[error("`{0}` interfaces cannot be made: choose 32 to 5000")]
    Interfaces(u32),
    /// There is something already: two samples in one folder would be read as
    /// one.
    #[error("`{}` is not empty: name another folder, or remove it first", .0.display())]
    NotEmpty(PathBuf),
    /// The disk does not take it.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl SampleError {
    fn write(path: &Path, source: impl Into<io::Error>) -> SampleError {
        SampleError::Write {
            path: path.to_owned(),
            source: source.into(),
        }
    }
}

/// Makes the sample: `logs`, `snapshot` and `truth.json` under
/// [`SampleConfig::out`], which must hold no `logs` or `snapshot` yet.
pub fn write(config: &SampleConfig) -> Result<Summary, SampleError> {
    config.check()?;
    for part in ["logs", "snapshot"] {
        refuse_filled(&config.out.join(part))?;
    }
    let world = World::build(Plan {
        provider: config.provider,
        seed: config.seed,
        interfaces: config.interface_count(),
        seconds: config.seconds(),
        ipv6: config.ipv6,
        change_at: config.change_at(),
    });
    let logs = Delivery::new(
        &config.out.join("logs"),
        config.seed,
        world.flow_log_id(),
        config.format_version,
        config.spread(),
        Wrapping {
            form: config.form,
            plain: config.plain,
        },
    );
    let mut simulation = Simulation::new(config, world, logs);
    simulation.run()?;
    snapshot::write(config, &simulation.world)?;
    if config.truth != Truth::None {
        truth::write(config, &simulation)?;
    }
    Ok(Summary {
        records: simulation.ledger.lines.accepted + simulation.ledger.lines.rejected,
        connections: simulation.ledger.opened,
        files: simulation.delivery.files,
        bytes: simulation.delivery.bytes,
        text_bytes: simulation.delivery.text_bytes,
    })
}

fn refuse_filled(folder: &Path) -> Result<(), SampleError> {
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            Some(_) => Err(SampleError::NotEmpty(folder.to_owned())),
            None => Ok(()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(SampleError::write(folder, source)),
    }
}

#[cfg(test)]
mod tests;
