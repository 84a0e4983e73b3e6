//! Why a cloud gave no answer.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why something could not be had from a cloud.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CloudError {
    /// Built without the parts that speak to a cloud.
    #[error(
        "this build speaks to no cloud; build it with the feature `s3` (it is on by default), \
         or save the objects with the AWS CLI first"
    )]
    NotBuiltIn,
    /// The threads that wait for answers could not be started.
    #[error("cannot start the threads that wait for answers")]
    Threads(#[source] io::Error),
    /// The other side said no, or nothing.
    #[error("{0}")]
    Refused(String),
    /// No Region in the environment, the profile or the arguments.
    #[error("no Region is known; give one with `--region`, or set AWS_REGION")]
    NoRegion,
    /// A file could not be written.
    #[error("cannot write `{path}`")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
}
