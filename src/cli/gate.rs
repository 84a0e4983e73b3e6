//! What findings are held against: an earlier analysis, and what was accepted.

use flowcinch::net::Timestamp;
use flowcinch::report::accepted;
use flowcinch::report::accepted::Acceptance;
use flowcinch::report::document::Analysis;
use flowcinch::report::human;
use flowcinch::report::pseudonym::Key;
use flowcinch::report::review::Against;
use flowcinch::report::review::Review;

use crate::cli::Failure;
use crate::cli::args::GateArgs;
use crate::cli::input;
use crate::cli::input::InputError;
use crate::cli::messages;

/// How many findings standard error names.
const NAMED: usize = 10;

/// What was read.
#[derive(Debug)]
pub(crate) struct Gate {
    baseline: Option<Analysis>,
    accepted: Vec<Acceptance>,
    today: Option<Timestamp>,
    asked: bool,
}

impl Gate {
    /// Reads the files that were named.
    ///
    /// With a key the baseline is put under other addresses too, for what is gone
    /// since is told in its words.
    pub(crate) fn read(args: &GateArgs, key: Option<&Key>) -> Result<Gate, Failure> {
        let accepted = match &args.accepted {
            None => Vec::new(),
            Some(path) => {
                let bytes = input::bytes(path)?;
                accepted::parse(&String::from_utf8_lossy(&bytes))
                    .map_err(|error| InputError::Accepted(path.clone(), error))?
            }
        };
        let baseline = args.baseline.as_deref().map(input::analysis).transpose()?;
        let baseline = baseline.map(|baseline| input::pseudonymised(baseline, key));
        Ok(Gate {
            baseline: baseline.transpose()?,
            accepted,
            today: args.today.map(|day| day.0),
            asked: args.is_asked(),
        })
    }

    /// The findings of an analysis, held against it.
    pub(crate) fn review(&self, analysis: &Analysis) -> Review {
        Review::new(
            analysis,
            &Against {
                baseline: self.baseline.as_ref(),
                accepted: &self.accepted,
                today: self.today,
            },
        )
    }

    /// Says on standard error what came of it.
    pub(crate) fn tell(&self, review: &Review) {
        if !self.asked {
            return;
        }
        messages::note(&review.summary());
        for entry in review.failing().take(NAMED) {
            let one = &entry.listed;
            let (code, id, subject, text) = (one.code, &one.id, &one.subject, &one.text);
            messages::note(&format!("{code} {id} {subject}: {text}"));
        }
        let more = review.failing().count().saturating_sub(NAMED);
        if more > 0 {
            messages::note(&format!("and {more} more"));
        }
        for one in &review.expired {
            let day = human::day(one.expires.0);
            let (id, owner) = (&one.id, &one.owner);
            messages::note(&format!(
                "{id}: accepted by {owner} until {day}, which is over"
            ));
        }
        for one in &review.idle {
            messages::note(&format!(
                "{}: accepted, and no longer found: take it out",
                one.id
            ));
        }
    }
}
