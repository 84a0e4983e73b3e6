//! What to do when an answer does not come: ask again, later each time, and not
//! in step with others (exponential back-off with full jitter). One place for
//! all calls, so that every kind of trouble is borne alike: throttling, server
//! errors, connections that drop or stall, answers that are cut short.

use std::error::Error;
use std::future::Future;
use std::hash::BuildHasher;
use std::hash::Hasher;
use std::hash::RandomState;
use std::time::Duration;

use crate::cloud::access::Access;

/// The first pause is at most this long.
const FIRST: Duration = Duration::from_millis(100);

/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(20);

/// Codes that mean "later", whatever status they come with.
const PASSING: [&str; 14] = [
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "ExpiredToken",
    "InternalError",
    "PriorRequestNotComplete",
    "RequestExpired",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// Why one attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Whether it may be otherwise the next time.
    pub(crate) passing: bool,
    /// The code that the server gave, empty where it gave none.
    pub(crate) code: String,
    /// What happened, in one line.
    pub(crate) text: String,
}

impl Fault {
    /// Trouble that may pass.
    pub(crate) fn passing(text: impl Into<String>) -> Fault {
        Fault {
            passing: true,
            code: String::new(),
            text: text.into(),
        }
    }

    /// Trouble that stays.
    pub(crate) fn lasting(text: impl Into<String>) -> Fault {
        Fault {
            passing: false,
            ..Fault::passing(text)
        }
    }

    /// What a server answered instead of what was asked for.
    pub(crate) fn answered(status: u16, code: &str, message: &str) -> Fault {
        // What is no error and still cannot be used was cut short or bent.
        let unreadable = (200..300).contains(&status);
        let named = match (code, message) {
            ("", "") if unreadable => "the answer cannot be read".to_owned(),
            ("", "") => format!("HTTP status {status}"),
            ("", message) => format!("{message} (HTTP status {status})"),
            (code, "") => format!("{code} (HTTP status {status})"),
            (code, message) => format!("{code}: {message} (HTTP status {status})"),
        };
        // Of the server errors only "not implemented" stays.
        let server = status >= 500 && status != 501 && code != "NotImplemented";
        Fault {
            passing: unreadable || server || matches!(status, 408 | 429) || PASSING.contains(&code),
            code: code.to_owned(),
            text: named,
        }
    }
}

/// How often to ask, and how long to wait for one answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    attempts: u32,
    /// How long an answer may stay away, or pause.
    pub(crate) stall: Duration,
}

impl Patience {
    /// As the user said.
    pub(crate) fn of(access: &Access) -> Patience {
        Patience {
            attempts: access.max_attempts.max(1),
            stall: access.read_timeout,
        }
    }

    /// A fresh count of attempts.
    pub(crate) fn tries(self) -> Tries {
        Tries {
            left: self.attempts.saturating_sub(1),
            used: 1,
            pause: FIRST,
        }
    }

    /// Asks until there is an answer, the trouble stays, or patience ends.
    pub(crate) async fn ask<T, F: Future<Output = Result<T, Fault>>>(
        self,
        question: impl Fn() -> F,
    ) -> Result<T, Fault> {
        let mut tries = self.tries();
        loop {
            match self.within(question()).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => tries.bear(fault).await?,
            }
        }
    }

    /// The outcome of something that is given up if it takes too long.
    pub(crate) async fn within<T>(
        self,
        outcome: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let bounded = tokio::time::timeout(self.stall, outcome).await;
        bounded.unwrap_or_else(|_| {
            let seconds = self.stall.as_secs_f32();
            Err(Fault::passing(format!("no answer for {seconds} s")))
        })
    }
}

/// Attempts at one thing.
#[derive(Debug)]
pub(crate) struct Tries {
    left: u32,
    used: u32,
    pause: Duration,
}

impl Tries {
    /// Waits before the next attempt; gives the fault back where there is none.
    pub(crate) async fn bear(&mut self, fault: Fault) -> Result<(), Fault> {
        if !fault.passing {
            return Err(fault);
        }
        if self.left == 0 {
            let Fault { text, .. } = &fault;
            let times = if self.used == 1 {
                "attempt"
            } else {
                "attempts"
            };
            let text = format!("{text}, after {} {times}", self.used);
            return Err(Fault { text, ..fault });
        }
        tokio::time::sleep(self.pause.mul_f64(chance())).await;
        self.pause = self.pause.saturating_mul(2).min(LONGEST);
        self.left = self.left.saturating_sub(1);
        self.used = self.used.saturating_add(1);
        Ok(())
    }
}

/// A number from 0 up to 1. It decides when something is asked again, never
/// what comes out.
fn chance() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    let bits = u32::try_from(random >> 32).unwrap_or(0);
    f64::from(bits) / f64::from(u32::MAX)
}

/// The error and its causes on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().build().unwrap().block_on(future)
    }

    fn patience(attempts: u32) -> Patience {
        Patience {
            attempts,
            stall: Duration::from_millis(50),
        }
    }

    #[test]
    fn what_passes_is_asked_again_and_what_stays_is_not() {
        let asked = Cell::new(0);
        let answer = run(patience(3).ask(|| async {
            asked.set(asked.get() + 1);
            if asked.get() < 3 {
                return Err(Fault::answered(503, "SlowDown", "reduce your request rate"));
            }
            Ok(asked.get())
        }));
        assert_eq!(answer, Ok(3));

        asked.set(0);
        let answer: Result<(), Fault> = run(patience(3).ask(|| async {
            asked.set(asked.get() + 1);
            Err(Fault::answered(403, "AccessDenied", "no"))
        }));
        assert_eq!(
            answer.unwrap_err().text,
            "AccessDenied: no (HTTP status 403)"
        );
        assert_eq!(asked.get(), 1);
    }

    #[test]
    fn patience_ends_and_says_after_how_much() {
        let answer: Result<(), Fault> =
            run(patience(2).ask(|| async { Err(Fault::answered(500, "", "")) }));
        assert_eq!(
            answer.unwrap_err().text,
            "HTTP status 500, after 2 attempts"
        );
    }

    #[test]
    fn an_answer_that_stays_away_is_given_up() {
        let answer: Result<(), Fault> = run(patience(1).ask(std::future::pending));
        assert_eq!(
            answer.unwrap_err().text,
            "no answer for 0.05 s, after 1 attempt"
        );
    }

    #[test]
    fn statuses_and_codes_say_what_passes() {
        for (status, code, passing) in [
            (500, "", true),
            (503, "SlowDown", true),
            (429, "", true),
            (400, "RequestTimeout", true),
            (400, "ExpiredToken", true),
            (400, "InvalidParameterValue", false),
            (501, "NotImplemented", false),
            (404, "NoSuchKey", false),
            (412, "PreconditionFailed", false),
        ] {
            assert_eq!(
                Fault::answered(status, code, "").passing,
                passing,
                "{status} {code}"
            );
        }
    }
}
