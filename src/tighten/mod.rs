//! From what was needed to the narrowest rules that still allow it.
//!
//! Floor 5. [`case`] is the question put for one direction of one group,
//! [`plan`] the answer. On the way, `obligations` says what must stay allowed;
//! `ports`, `prefixes` and `front` find the boxes that hold it inside what is allowed
//! today (`boxes`), each opening at its [`weight`]; `public` spares public
//! services, `labels` keeps references; `family` and `fit` make all of it fit
//! the [`quota`], by the ways of `parts`: `plane` exactly for few services,
//! `many` for more, `solver` for what is left. `pairing` finds for each rule the
//! one of today that it narrows, `worth` weighs the change, `rounds` asks again until nothing
//! is left to do, [`exposure`] measures both sides, and `reasons` says why. [`proof`] checks every proposal by code that shares nothing with
//! the code that made it but the nouns; a proposal that fails is not shown
//! ([`proven`]). Where rules have [`ranks`], those of each are asked by
//! themselves, and `closing` closes what goes out by default. [`posture`] says what a rule is by its words alone.
//! [`mod@rollout`] puts the changes of a proposal in an order in
//! which nothing needed is missing at any moment; [`mod@backtest`] tries what would
//! have been proposed earlier on what came after.
//!
//! References to groups and prefix lists stay references: addresses change
//! hands, so a reference turned into today's addresses would both break and
//! open something later. Where only prefixes stand, `references` may put a
//! reference in their place.

pub mod backtest;
pub(crate) mod boxes;
pub mod case;
pub(crate) mod closing;
pub(crate) mod curve;
pub(crate) mod exact;
pub mod exposure;
pub(crate) mod family;
pub(crate) mod fit;
pub(crate) mod front;
pub(crate) mod isolation;
pub(crate) mod labels;
pub(crate) mod many;
pub(crate) mod moving;
pub(crate) mod obligations;
pub(crate) mod pairing;
pub(crate) mod parts;
pub mod plan;
pub(crate) mod plane;
pub(crate) mod ports;
pub mod posture;
pub(crate) mod prefixes;
pub mod proof;
pub mod propose;
pub(crate) mod public;
pub mod quota;
pub mod ranks;
pub(crate) mod reasons;
pub mod references;
pub mod rollout;
pub(crate) mod rounds;
pub(crate) mod slabs;
pub(crate) mod solver;
pub mod weight;
pub(crate) mod worth;

pub use case::Among;
pub use case::Case;
pub use case::Limits;
pub use case::Standing;
pub use case::Unruled;
pub use case::Watch;
pub use propose::propose;
pub use propose::propose_unweighed;
pub use propose::proven;
