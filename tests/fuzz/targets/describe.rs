//! Law: an answer is read or refused, and one that is read twice makes the
//! same snapshot as once.

#![no_main]

use flowcinch::describe::Collector;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let collect = |times: usize| {
        let mut collector = Collector::default();
        for _ in 0..times {
            collector.add("pl-0123456789abcdef0.json", text).ok()?;
        }
        Some(collector.finish(None).ok()?.snapshot)
    };
    assert_eq!(collect(1), collect(2));
});
