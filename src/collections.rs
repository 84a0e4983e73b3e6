//! The one hash map and the one hash set of the project.
//!
//! Hashing decides speed and nothing else: no output may depend on the order
//! of a hash table (the lint `iter_over_hash_type` guards it). Having a single
//! place that names the hasher lets it be changed and measured in one step.

/// Hash map with the project's one hasher.
pub type HashMap<K, V> = hashbrown::HashMap<K, V>;

/// Hash set with the project's one hasher.
pub type HashSet<T> = hashbrown::HashSet<T>;
