//! HCL as `terraform fmt` writes it, with text of others made inert.
//!
//! Strings are escaped here and not by a library: the one at hand leaves `${`
//! active behind a `%`. Characters that act on a terminal or turn text around
//! are written as `\u....`, which keeps the value and shows it.

use std::borrow::Cow;

use crate::report::escape;

/// Something in a body.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// A comment of one line.
    Comment(String),
    /// Name and expression, already HCL.
    Attribute(&'static str, String),
    /// Quoted key and expression of a map.
    Entry(String, String),
    /// A block with its body.
    Block(Block),
    /// An empty line.
    Blank,
}

/// A block: its header without the brace, and its body.
#[derive(Clone, Debug)]
pub(super) struct Block {
    header: String,
    items: Vec<Item>,
}

impl Block {
    /// `resource "type" "name"`; labels must be identifiers.
    pub(super) fn resource(kind: &str, name: &str) -> Block {
        Block::named(&format!("resource \"{kind}\" \"{name}\""))
    }

    pub(super) fn named(header: &str) -> Block {
        Block {
            header: header.to_owned(),
            items: Vec::new(),
        }
    }

    pub(super) fn attribute(mut self, name: &'static str, expression: String) -> Block {
        self.items.push(Item::Attribute(name, expression));
        self
    }

    pub(super) fn optional(self, name: &'static str, expression: Option<String>) -> Block {
        match expression {
            Some(expression) => self.attribute(name, expression),
            None => self,
        }
    }

    /// A nested block, with an empty line before it.
    pub(super) fn block(mut self, block: Block) -> Block {
        if !self.items.is_empty() {
            self.items.push(Item::Blank);
        }
        self.items.push(Item::Block(block));
        self
    }

    /// An entry of a map that is written as a block.
    pub(super) fn entry(mut self, key: String, expression: String) -> Block {
        self.items.push(Item::Entry(key, expression));
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

/// A file in the making.
#[derive(Debug, Default)]
pub(super) struct File {
    items: Vec<Item>,
}

impl File {
    /// One line of comment; more lines are told apart by the caller.
    pub(super) fn comment(&mut self, text: &str) {
        self.items.push(Item::Comment(text.to_owned()));
    }

    pub(super) fn blank(&mut self) {
        self.items.push(Item::Blank);
    }

    /// A block as comment.
    pub(super) fn comment_block(&mut self, block: Block) {
        let mut text = String::new();
        write_items(&mut text, &[Item::Block(block)], 1);
        for line in text.lines() {
            self.comment(line);
        }
    }

    /// A block, with an empty line behind it.
    pub(super) fn block(&mut self, block: Block) {
        self.items.push(Item::Block(block));
        self.items.push(Item::Blank);
    }

    pub(super) fn finish(mut self) -> String {
        while matches!(self.items.last(), Some(Item::Blank)) {
            self.items.pop();
        }
        let mut out = String::new();
        write_items(&mut out, &self.items, 0);
        out
    }
}

fn write_items(out: &mut String, items: &[Item], depth: usize) {
    let indent = "  ".repeat(depth);
    let mut rest = items;
    while let Some((first, others)) = rest.split_first() {
        match first {
            // One empty line parts as well as two.
            Item::Blank if out.ends_with("\n\n") => {}
            Item::Blank => out.push('\n'),
            Item::Comment(text) => {
                let line = format!("{indent}# {}", escape::inert(text));
                out.push_str(line.trim_end());
                out.push('\n');
            }
            Item::Block(block) => write_block(out, block, depth),
            Item::Attribute(..) | Item::Entry(..) => {
                rest = write_attributes(out, rest, &indent);
                continue;
            }
        }
        rest = others;
    }
}

fn write_block(out: &mut String, block: &Block, depth: usize) {
    let indent = "  ".repeat(depth);
    let head = format!("{indent}{} {{\n", block.header);
    out.push_str(&head);
    write_items(out, &block.items, depth + 1);
    out.push_str(&indent);
    out.push_str("}\n");
}

/// The attributes at the head of the list, aligned; returns what follows.
fn write_attributes<'a>(out: &mut String, items: &'a [Item], indent: &str) -> &'a [Item] {
    let is_attribute = |item: &&Item| matches!(item, Item::Attribute(..) | Item::Entry(..));
    let number = items.iter().take_while(is_attribute).count();
    let (run, rest) = items.split_at_checked(number).unwrap_or((items, &[]));
    let attributes = || {
        run.iter().filter_map(|item| match item {
            Item::Attribute(name, value) => Some((*name, value)),
            Item::Entry(key, value) => Some((key.as_str(), value)),
            Item::Comment(_) | Item::Block(_) | Item::Blank => None,
        })
    };
    let width = attributes()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    for (name, value) in attributes() {
        let line = format!("{indent}{name:width$} = {value}\n");
        out.push_str(&line);
    }
    rest
}

/// A quoted string that evaluates to the text, whatever it holds.
pub(super) fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    let mut characters = text.chars().peekable();
    let mut before = '\0';
    while let Some(character) = characters.next() {
        let opens = matches!(character, '$' | '%') && characters.peek() == Some(&'{');
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            // Behind another marker a doubled one could be read in two ways.
            _ if opens && !matches!(before, '$' | '%') => {
                quoted.extend([character, character]);
            }
            _ if opens || acts(character) => unicode(&mut quoted, character),
            _ => quoted.push(character),
        }
        before = character;
    }
    quoted.push('"');
    quoted
}

fn acts(character: char) -> bool {
    let mut buffer = [0; 4];
    matches!(
        escape::inert(character.encode_utf8(&mut buffer)),
        Cow::Owned(_)
    )
}

fn unicode(out: &mut String, character: char) {
    let code = u32::from(character);
    let written = if code > 0xffff {
        format!("\\U{code:08x}")
    } else {
        format!("\\u{code:04x}")
    };
    out.push_str(&written);
}

/// A list of strings on one line.
pub(super) fn strings<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = texts.into_iter().map(string).collect();
    format!("[{}]", quoted.join(", "))
}

/// Whether Terraform takes the text as a name.
pub(super) fn is_identifier(text: &str) -> bool {
    let mut letters = text.chars();
    let first = letters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    first && letters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_inert_whatever_stands_before_them() {
        assert_eq!(string("a ${b}"), r#""a $${b}""#);
        assert_eq!(string("%{if}"), r#""%%{if}""#);
        assert_eq!(string("%${b}"), "\"%\\u0024{b}\"");
        assert_eq!(string("$${b}"), "\"$\\u0024{b}\"");
        assert_eq!(string("$(x) `y` 5%"), r#""$(x) `y` 5%""#);
    }

    #[test]
    fn what_acts_is_written_as_its_number() {
        assert_eq!(string("\u{1b}[31m\u{202e}"), r#""\u001b[31m\u202e""#);
        assert_eq!(string("a\nb\"c\\"), r#""a\nb\"c\\""#);
        assert_eq!(string("\u{e0041}"), r#""\U000e0041""#);
    }

    #[test]
    fn attributes_are_aligned_as_fmt_does() {
        let mut file = File::default();
        file.comment("why\nthis");
        let block = Block::resource("t", "n")
            .attribute("a", "1".to_owned())
            .attribute("long", "true".to_owned())
            .block(Block::named("lifecycle").attribute("x", "1".to_owned()));
        file.block(block);
        let expected = "# why\\u{a}this\nresource \"t\" \"n\" {\n  a    = 1\n  long = true\n\n  lifecycle {\n    x = 1\n  }\n}\n";
        assert_eq!(file.finish(), expected);
    }

    #[test]
    fn names_are_told_from_what_would_break_out() {
        assert!(is_identifier("web-1_a") && is_identifier("_x"));
        for wrong in ["", "1a", "a b", "a\"", "a.b", "\u{e9}"] {
            assert!(!is_identifier(wrong), "{wrong}");
        }
    }
}
