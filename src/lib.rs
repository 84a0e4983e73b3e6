//! flowcinch reads cloud VPC flow logs beside snapshots of security groups and
//! answers: which rules did nobody use, why was this traffic rejected, and what
//! is the smallest set of rules that still lets through what was needed.
//!
//! What a user types and gets stands in the README; this page is for those who
//! change the code.
//!
//! # The story
//!
//! 1. [`source`] turns what the user named, on disk or in S3, into a sorted list of
//!    objects, each once, without those whose names date them outside the asked
//!    span, and opens each as blocks of plain text, however it was packed. From here
//!    on nobody knows where bytes came from.
//! 2. [`flowlog`] learns the columns from the header, or from the user, and turns
//!    every line into a [`model::Row`]: a [`model::FlowRecord`], a NODATA or
//!    SKIPDATA row, or a counted error with its position. How the bytes were cut
//!    into blocks never shows.
//! 3. [`evidence`] is what was seen, before anyone asks about rules: cells keyed by
//!    interface and conversation, with what speaks for who opened it, and the hours
//!    in which each interface was watched or lost. Each worker folds its own;
//!    they merge in any order to the same value. That is why the number of
//!    threads and the order of files cannot change an answer.
//!    A [`digest`] is that evidence on disk, object by object: logs, digests, or
//!    both, from here on nobody knows which.
//! 4. [`describe`] turns what an API printed into a [`model::Snapshot`], and whatever
//!    it lacks into notes. A [`model::SnapshotSeries`] says which rules, members and
//!    addresses held when.
//! 5. [`attribute`] is the heart. It settles who opened each conversation, finds
//!    *all* rules that cover it, explains each REJECT by asking groups and network
//!    ACLs of the time, and says of each rule what it earned, how sure that is, and
//!    how well its group was watched.
//! 6. [`tighten`] asks, for one direction of one group, for the narrowest rules that
//!    still allow what was needed, within the quota and within what is allowed
//!    today. [`tighten::proof`] then checks the answer by other code: nothing new is
//!    allowed, and everything seen still is. What fails is withheld and told.
//! 7. [`pipeline`] runs all of this in parallel, and is the only place where the hot
//!    path is put together.
//! 8. [`report`] holds the finished analysis as a document, counts its findings once
//!    for all, and renders it. The binary adds arguments, progress and exit codes.
//!
//! [`sample`] stands apart: a made-up cloud with logs, snapshot and known truth. It
//! shares no code with attribution, so that each can be held against the other.
//!
//! # The floors
//!
//! A room imports from lower floors only; `tests/it/floors.rs` sees to it.
//!
//! | floor | room | holds |
//! |---|---|---|
//! | 8 | `main`, `cli` (binary) | what was typed, what was meant, messages, progress, exit codes; only here is clap |
//! | 7 | [`pipeline`] | objects to records to evidence to findings, in parallel: fold, then merge |
//! | 6 | [`report`] | the document, the codes of findings, one renderer a format |
//! | 5 | [`tighten`] | evidence and rules to proposals; `proof`, the independent check |
//! | 4 | [`attribute`] | evidence and the rules of its time to verdicts; pure |
//! | 4 | [`digest`] | evidence on disk, each object once |
//! | 3 | [`evidence`] | what was seen; merges by law |
//! | 2 | [`flowlog`] | log bytes to rows; no files, no sockets |
//! | 2 | [`describe`] | API JSON to snapshots |
//! | 2 | [`source`] | where bytes come from, blind to what they say |
//! | 2 | [`sample`] | a made-up cloud with its truth |
//! | 1 | [`cloud`] | live AWS: sessions and patience; nothing else awaits, `source::s3` aside |
//! | 1 | [`model`] | the nouns: rows, groups, rules, interfaces, ACLs, lists, snapshots |
//! | 0 | [`net`] | prefixes, ports, protocols, time: values and set algebra |
//! | 0 | [`checksum`] | SHA-256 in hexadecimal |
//! | 0 | [`collections`] | hash map and hash set with the one hasher |
//!
//! One model is meant to serve several clouds: a rule has an effect and a priority
//! even where all rules allow and none has a rank.
//!
//! # Three kinds of trouble
//!
//! *Cannot go on* (no such path, broken snapshot) is a typed error of its module, and
//! exit code 2. *Bad data* (a line) is a value: counted by kind, the first ones kept
//! with object, line and byte. *Doubt* (who opened it, lost hours, a missing
//! snapshot) weakens each claim that it touches, and is never settled in favour of
//! taking access away.
//!
//! # What logs cannot tell
//!
//! - ACCEPT proves that some rule let the packet pass, not which; REJECT blames
//!   nobody: groups and network ACLs show as one word. So every covering rule is
//!   credited, and causes are found by evaluation.
//! - Replies pass without a rule. Only the half of a connection that opened it is use,
//!   and without a handshake in the records that half must be inferred. A short
//!   connection's flags are joined over the interval, a lone ACK is shown as 0.
//! - Amazon DNS, DHCP, instance metadata, time sync and licence activation are never
//!   logged: a rule for them can earn no evidence.
//! - SKIPDATA stands for any number of lost records. An hour without rows is watched
//!   only if the flow log delivered something for it.
//! - `srcaddr` and `dstaddr` show an interface's primary address, ICMP types are not
//!   logged, and behind NAT or a middlebox the peer is the box.
//! - A snapshot is one moment. What happened between two is judged by the earlier.

pub mod attribute;
pub mod checksum;
pub mod cloud;
pub mod collections;
pub mod describe;
pub mod digest;
pub mod evidence;
pub mod flowlog;
pub mod model;
pub mod net;
pub mod pipeline;
pub mod report;
pub mod sample;
pub mod source;
pub mod tighten;
