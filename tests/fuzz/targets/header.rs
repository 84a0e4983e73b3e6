//! Law: a line that is taken as a header has one column for each of its words,
//! and names the same columns to `--fields` unless that finds fault with it.

#![no_main]

use flowcinch::flowlog::Layout;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    let Ok(text) = str::from_utf8(line) else {
        let _ = Layout::from_header(line);
        return;
    };
    let typed = Layout::parse(text);
    if let Some(layout) = Layout::from_header(line) {
        assert_eq!(layout.columns(), text.split_ascii_whitespace().count());
        if let Ok(typed) = typed {
            assert_eq!(typed.columns(), layout.columns());
        }
    }
});
