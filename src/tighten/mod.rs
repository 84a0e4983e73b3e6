//! From what was needed to the narrowest rules that still allow it.
//!
//! Floor 5. `case` is the question put for one direction of one group,
//! `plan` the answer. On the way, `obligations` says what must stay
//! allowed, `ports` and `prefixes` find the boxes that hold it inside what
//! is allowed today (`boxes`), `quota` counts them, `fit` makes them fit,
//! `pairing` finds for each the rule of today that it narrows, and
//! `exposure` measures both sides. `proof` checks every proposal by code
//! that shares nothing with the code that made it but the nouns; a proposal
//! that fails is not shown (`proven`).
//!
//! References to groups and prefix lists stay references: addresses change
//! hands, so a reference turned into today's addresses would both break and
//! open something later (semantics 6.2). Introducing references where only
//! prefixes stood is not done here.

pub(crate) mod boxes;
pub mod case;
pub mod exposure;
pub(crate) mod fit;
pub(crate) mod obligations;
pub(crate) mod pairing;
pub mod plan;
pub(crate) mod ports;
pub mod prefixes;
pub mod proof;
pub mod propose;
pub mod quota;
pub(crate) mod reasons;

pub use case::Case;
pub use case::Limits;
pub use case::Standing;
pub use case::Watch;
pub use propose::propose;
pub use propose::proven;
