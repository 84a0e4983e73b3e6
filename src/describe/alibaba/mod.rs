//! The answers of Alibaba Cloud: ECS's and VPC's describe calls as the
//! `aliyun` CLI prints them. Every list stands within an object that is named
//! in the singular, what is not set is an empty text, numbers may be texts.
//!
//! A group is told in two halves, its type by one call and its rules by
//! another, and pages of either may lie in files of their own: [`drafts`]
//! gathers them, the other files each turn one JSON object into one noun.

pub(super) mod answer;
pub(super) mod drafts;
pub(super) mod interfaces;
pub(super) mod networks;
pub(super) mod pages;
pub(super) mod rules;
