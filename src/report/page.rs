//! A page of text that fits a terminal: words wrapped at a width, styles that
//! take no columns, and text of others made inert.
//!
//! This is the one gate to a terminal: everything that is shown passes
//! [`Text`], and everything in a [`Text`] was escaped, so no caller can forget.
//! Ids are never broken; one that is wider than the page stands alone on its
//! line and sticks out.

use anstyle::AnsiColor;
use anstyle::Style;
use unicode_width::UnicodeWidthChar;
use unicode_width::UnicodeWidthStr;

use crate::report::escape;

/// Narrowest page, in columns.
pub(crate) const MIN_WIDTH: usize = 60;

/// What a piece of text is, which decides its style and whether it may break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Plain,
    Id,
    Strong,
    Dim,
    Good,
    Warn,
    Bad,
}

impl Role {
    fn style(self) -> Style {
        match self {
            Role::Plain | Role::Id => Style::new(),
            Role::Strong => Style::new().bold(),
            Role::Dim => Style::new().dimmed(),
            Role::Good => Style::new().fg_color(Some(AnsiColor::Green.into())),
            Role::Warn => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
            Role::Bad => Style::new().fg_color(Some(AnsiColor::Red.into())).bold(),
        }
    }
}

/// A piece of text in one role, already inert.
#[derive(Clone, Debug)]
struct Piece {
    role: Role,
    text: String,
}

/// A run of styled text on its way to a page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text(Vec<Piece>);

impl Text {
    pub(crate) fn new() -> Text {
        Text::default()
    }

    pub(crate) fn plain(self, text: &str) -> Text {
        self.with(Role::Plain, text)
    }

    /// Text that no line break may tear apart.
    pub(crate) fn id(self, text: &str) -> Text {
        self.with(Role::Id, text)
    }

    pub(crate) fn strong(self, text: &str) -> Text {
        self.with(Role::Strong, text)
    }

    pub(crate) fn dim(self, text: &str) -> Text {
        self.with(Role::Dim, text)
    }

    pub(crate) fn good(self, text: &str) -> Text {
        self.with(Role::Good, text)
    }

    pub(crate) fn warn(self, text: &str) -> Text {
        self.with(Role::Warn, text)
    }

    pub(crate) fn bad(self, text: &str) -> Text {
        self.with(Role::Bad, text)
    }

    /// Text of the customer in quotes, cut after 48 columns.
    pub(crate) fn quoted(self, text: &str) -> Text {
        let cut = clip(&escape::inert(text), 48);
        self.with(Role::Dim, &format!("\"{cut}\""))
    }

    /// Spaces up to a column, at least one.
    pub(crate) fn pad_to(self, column: usize) -> Text {
        let spaces = column.saturating_sub(self.width()).max(1);
        self.with(Role::Plain, &" ".repeat(spaces))
    }

    /// The other text behind this one.
    pub(crate) fn then(mut self, other: Text) -> Text {
        self.0.extend(other.0);
        self
    }

    pub(crate) fn width(&self) -> usize {
        self.0.iter().map(|piece| piece.text.width()).sum()
    }

    fn with(mut self, role: Role, text: &str) -> Text {
        self.0.push(Piece {
            role,
            text: escape::inert(text).into_owned(),
        });
        self
    }

    fn tokens(&self) -> Vec<Token> {
        let mut tokens = Vec::new();
        for piece in &self.0 {
            for (at, part) in piece.text.split(' ').enumerate() {
                if at > 0 {
                    push_space(&mut tokens);
                }
                if !part.is_empty() {
                    push_part(&mut tokens, piece.role, part);
                }
            }
        }
        tokens
    }
}

fn push_space(tokens: &mut Vec<Token>) {
    match tokens.last_mut() {
        Some(Token::Space(number)) => *number += 1,
        Some(Token::Word(_)) | None => tokens.push(Token::Space(1)),
    }
}

fn push_part(tokens: &mut Vec<Token>, role: Role, part: &str) {
    let piece = Piece {
        role,
        text: part.to_owned(),
    };
    match tokens.last_mut() {
        Some(Token::Word(pieces)) => pieces.push(piece),
        Some(Token::Space(_)) | None => tokens.push(Token::Word(vec![piece])),
    }
}

/// The text in at most so many columns, with `...` where it was cut.
pub(crate) fn clip(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let (head, _) = split_at_column(text, columns.saturating_sub(3));
    format!("{head}...")
}

/// Head of at most so many columns, and the rest.
fn split_at_column(text: &str, columns: usize) -> (&str, &str) {
    let mut used = 0;
    for (at, character) in text.char_indices() {
        used += character.width().unwrap_or(0);
        if used > columns {
            return text.split_at_checked(at).unwrap_or((text, ""));
        }
    }
    (text, "")
}

/// What stands between two places where a line may break.
#[derive(Debug)]
enum Token {
    Word(Vec<Piece>),
    Space(usize),
}

/// A page in the making.
#[derive(Debug)]
pub(crate) struct Page {
    width: usize,
    styled: bool,
    out: String,
    column: usize,
}

impl Page {
    /// An empty page; widths below [`MIN_WIDTH`] are taken as that.
    pub(crate) fn new(width: usize, styled: bool) -> Page {
        Page {
            width: width.max(MIN_WIDTH),
            styled,
            out: String::new(),
            column: 0,
        }
    }

    pub(crate) fn blank(&mut self) {
        self.out.push('\n');
    }

    /// A section's title, with an empty line before it.
    pub(crate) fn heading(&mut self, title: &str, note: &str) {
        self.blank();
        let text = Text::new().strong(title);
        let gap = if note.is_empty() { "" } else { "  " };
        self.hanging(0, 2, &text.plain(gap).dim(note));
    }

    /// A paragraph, all of it at one indent.
    pub(crate) fn line(&mut self, indent: usize, text: &Text) {
        self.hanging(indent, indent, text);
    }

    /// A paragraph whose lines after the first stand at another indent.
    pub(crate) fn hanging(&mut self, indent: usize, hang: usize, text: &Text) {
        self.column = 0;
        self.spaces(indent);
        let mut start = indent;
        let mut gap = 0;
        for token in text.tokens() {
            match token {
                Token::Space(number) => gap = number,
                Token::Word(pieces) => {
                    let width: usize = pieces.iter().map(|piece| piece.text.width()).sum();
                    if self.column > start && self.column + gap + width > self.width {
                        self.break_line(hang);
                        start = hang;
                    } else if self.column > start {
                        self.spaces(gap);
                    }
                    self.word(&pieces, hang);
                    gap = 0;
                }
            }
        }
        self.out.push('\n');
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }

    fn break_line(&mut self, indent: usize) {
        self.out.push('\n');
        self.column = 0;
        self.spaces(indent);
    }

    fn spaces(&mut self, columns: usize) {
        self.out.extend(std::iter::repeat_n(' ', columns));
        self.column += columns;
    }

    fn word(&mut self, pieces: &[Piece], hang: usize) {
        let whole = pieces.iter().any(|piece| piece.role == Role::Id);
        for piece in pieces {
            if whole {
                self.put(piece.role, &piece.text);
            } else {
                self.put_broken(piece, hang);
            }
        }
    }

    /// A word that may be torn: what does not fit goes to the next line.
    fn put_broken(&mut self, piece: &Piece, hang: usize) {
        let mut rest = piece.text.as_str();
        while !rest.is_empty() {
            let room = self.width.saturating_sub(self.column);
            let (head, tail) = split_at_column(rest, room);
            self.put(piece.role, head);
            if !tail.is_empty() {
                self.break_line(hang);
            }
            rest = tail;
        }
    }

    fn put(&mut self, role: Role, text: &str) {
        let style = role.style();
        if self.styled && style != Style::new() {
            let opened = style.render().to_string();
            let closed = style.render_reset().to_string();
            self.out.extend([opened.as_str(), text, closed.as_str()]);
        } else {
            self.out.push_str(text);
        }
        self.column += text.width();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(width: usize, indent: usize, hang: usize, text: &Text) -> String {
        let mut page = Page::new(width, false);
        page.hanging(indent, hang, text);
        page.finish()
    }

    #[test]
    fn words_wrap_under_the_hang() {
        let words = "word ".repeat(20);
        let text = Text::new().plain(&words);
        let page = shown(60, 2, 6, &text);
        let lines: Vec<&str> = page.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("  word"));
        assert!(lines[1].starts_with("      word"));
        assert!(
            lines
                .iter()
                .all(|line| line.width() <= 60 && !line.ends_with(' '))
        );
    }

    #[test]
    fn an_id_is_never_torn() {
        let id = "sg-0123456789abcdef0/ingress/tcp/1024-65535/2001:db8:aaaa:bbbb:cccc::/80";
        let page = shown(60, 2, 4, &Text::new().plain("see ").id(id).plain(" there"));
        assert_eq!(page, format!("  see\n    {id}\n    there\n"));
    }

    #[test]
    fn a_description_without_spaces_is_torn() {
        let page = shown(60, 0, 2, &Text::new().plain(&"x".repeat(100)));
        assert_eq!(page, format!("{}\n  {}\n", "x".repeat(60), "x".repeat(40)));
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(
            clip(&"\u{7f51}".repeat(10), 10),
            format!("{}...", "\u{7f51}".repeat(3))
        );
        let page = shown(60, 0, 0, &Text::new().plain(&"\u{7f51}".repeat(40)));
        assert!(page.lines().all(|line| line.width() <= 60));
    }

    #[test]
    fn styles_close_what_they_open() {
        let mut page = Page::new(60, true);
        page.line(0, &Text::new().bad("no").plain(" ").good("yes"));
        let out = page.finish();
        assert_eq!(out.matches("\u{1b}[0m").count(), 2);
        assert_eq!(anstream::adapter::strip_str(&out).to_string(), "no yes\n");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_page(text in any::<String>(), more in "[a-z ]{0,200}", width in 60usize..130) {
            let text = Text::new().plain(&text).dim(&more).quoted(&text);
            let page = shown(width, 2, 8, &text);
            for line in page.lines() {
                prop_assert!(line.width() <= width, "{:?}", line);
            }
        }
    }
}
