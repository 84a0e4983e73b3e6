//! Reads one object, then another, whatever form each has: the form is told by
//! the first bytes. The forms' readers do the rest.

use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use memchr::memchr;

use crate::flowlog::brief::Interfaces;
use crate::flowlog::envelope::Envelopes;
use crate::flowlog::envelope::PACKED;
use crate::flowlog::error::FormError;
use crate::flowlog::header::Layout;
use crate::flowlog::parquet;
use crate::flowlog::parquet::ParquetFile;
use crate::flowlog::parquet::Workshop;
use crate::flowlog::reader::LogReader;
use crate::flowlog::reader::Sink;

/// Largest Parquet file that is read; deliveries are 75 MB at most.
pub const LARGEST_PARQUET: usize = 512 << 20;

/// Blanks in front of an object that are looked through for what it is.
const MOST_BLANKS: usize = 64 * 1024;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    /// Documents, one after the other.
    Json,
    /// Lines of base64, each a gzipped document.
    Packed,
    Parquet,
    Encrypted,
}

impl Form {
    /// The form of an object that begins so; `None` where more bytes are needed.
    fn of(front: &[u8]) -> Option<Form> {
        let begins = |magic: &[u8]| front.starts_with(magic);
        let may_begin = |magic: &[u8]| front.len() < magic.len() && magic.starts_with(front);
        if begins(parquet::MAGIC) {
            return Some(Form::Parquet);
        }
        if begins(parquet::ENCRYPTED) {
            return Some(Form::Encrypted);
        }
        if begins(PACKED) {
            return Some(Form::Packed);
        }
        if [parquet::MAGIC, parquet::ENCRYPTED, PACKED]
            .iter()
            .any(|m| may_begin(*m))
        {
            return None;
        }
        let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0xef | 0xbb | 0xbf);
        match front.iter().find(|byte| !blank(byte)) {
            Some(b'{' | b'[') => Some(Form::Json),
            Some(_) => Some(Form::Text),
            None if front.len() > MOST_BLANKS => Some(Form::Text),
            None => None,
        }
    }
}

/// Reads objects.
#[derive(Debug)]
pub struct ObjectReader {
    text: LogReader,
    form: Option<Form>,
    /// What was kept: the front while the form is unknown, the unfinished line,
    /// or the whole file.
    kept: Vec<u8>,
    /// The whole file, where it was at hand.
    file: Option<Bytes>,
    /// Bytes that came before what is kept, of lines.
    byte: u64,
    envelopes: Envelopes,
    workshop: Workshop,
    too_large: bool,
}

/// What is left to do at the end of an object.
#[derive(Debug)]
pub enum Ended {
    /// Nothing.
    Done,
    /// A file whose row groups are read in any order, by
    /// [`ParquetFile::read_group`].
    Parquet(Arc<ParquetFile>),
}

impl ObjectReader {
    /// Starts an object. Lines before its first header have the columns of
    /// `headerless`.
    #[must_use]
    pub fn new(headerless: &Layout) -> ObjectReader {
        ObjectReader {
            text: LogReader::new(headerless),
            form: None,
            kept: Vec::new(),
            file: None,
            byte: 0,
            envelopes: Envelopes::default(),
            workshop: Workshop::default(),
            too_large: false,
        }
    }

    /// Takes the object's next bytes.
    pub fn feed(&mut self, block: &[u8], sink: &mut impl Sink) {
        match self.form {
            Some(form) => self.feed_as(form, block, sink),
            None if self.kept.is_empty() && Form::of(block).is_some() => {
                self.form = Form::of(block);
                self.feed(block, sink);
            }
            None => {
                self.kept.extend_from_slice(block);
                self.form = Form::of(&self.kept);
                if self.form.is_some() {
                    let front = mem::take(&mut self.kept);
                    self.feed(&front, sink);
                }
            }
        }
    }

    /// Takes a Parquet file as it is, in place of all of its bytes.
    pub fn hold(&mut self, file: Bytes) {
        self.form = Some(Form::Parquet);
        self.file = Some(file);
    }

    fn feed_as(&mut self, form: Form, block: &[u8], sink: &mut impl Sink) {
        match form {
            Form::Text => self.text.feed(block, sink),
            Form::Json => self.envelopes.feed(block, &mut self.text, sink),
            Form::Packed => self.feed_packed(block, sink),
            Form::Parquet => self.keep(block),
            Form::Encrypted => {}
        }
    }

    /// Keeps what can only be read whole, while it is no more than is borne.
    fn keep(&mut self, block: &[u8]) {
        if self.kept.len().saturating_add(block.len()) > LARGEST_PARQUET {
            self.too_large = true;
            self.kept = Vec::new();
        }
        if !self.too_large {
            self.kept.extend_from_slice(block);
        }
    }

    fn feed_packed(&mut self, mut block: &[u8], sink: &mut impl Sink) {
        while let Some(len) = memchr(b'\n', block) {
            let (line, behind) = block.split_at_checked(len).unwrap_or((block, &[]));
            self.kept.extend_from_slice(line);
            self.packed_line(sink);
            block = behind.get(1..).unwrap_or_default();
            self.byte = self.byte.saturating_add(1);
        }
        self.keep(block);
    }

    fn packed_line(&mut self, sink: &mut impl Sink) {
        let line = mem::take(&mut self.kept);
        if !line.trim_ascii().is_empty() {
            let text = &mut self.text;
            self.envelopes.packed_line(&line, self.byte, text, sink);
        }
        self.byte = self.byte.saturating_add(line.len() as u64);
    }

    /// Ends the object. What comes next is another one.
    ///
    /// # Errors
    /// Where it cannot be read as what it is, or not to its end; rows that could
    /// be read were given.
    pub fn finish(&mut self, sink: &mut impl Sink) -> Result<Ended, FormError> {
        let ended = match self.form {
            Some(Form::Text) => {
                self.text.finish(sink);
                Ok(Ended::Done)
            }
            // Blanks, or the front of a magic word.
            None => {
                let front = mem::take(&mut self.kept);
                self.text.feed(&front, sink);
                self.text.finish(sink);
                Ok(Ended::Done)
            }
            Some(Form::Parquet | Form::Packed) if self.too_large => {
                Err(FormError::TooLarge(LARGEST_PARQUET))
            }
            Some(Form::Json) => {
                let finished = self.envelopes.finish(&mut self.text, sink);
                finished.map(|()| Ended::Done)
            }
            Some(Form::Packed) => {
                self.packed_line(sink);
                let finished = self.envelopes.finish(&mut self.text, sink);
                finished.map(|()| Ended::Done)
            }
            Some(Form::Parquet) => {
                let kept = mem::take(&mut self.kept);
                let data = self.file.take().unwrap_or_else(|| Bytes::from(kept));
                ParquetFile::open(data).map(|file| Ended::Parquet(Arc::new(file)))
            }
            Some(Form::Encrypted) => Err(FormError::ParquetEncrypted),
        };
        self.abandon();
        ended
    }

    /// [`ObjectReader::finish`], with what is left to do done at once.
    ///
    /// # Errors
    /// As there.
    pub fn finish_whole(&mut self, sink: &mut impl Sink) -> Result<(), FormError> {
        match self.finish(sink)? {
            Ended::Done => Ok(()),
            Ended::Parquet(file) => {
                let mut ended = Ok(());
                for group in 0..file.groups() {
                    let read = self.read_group(&file, group, sink);
                    ended = ended.and(read);
                }
                ended
            }
        }
    }

    /// Reads one row group of a file that this reader, or another, opened.
    ///
    /// # Errors
    /// Where it is damaged; rows before the damage were given.
    pub fn read_group(
        &mut self,
        file: &ParquetFile,
        group: usize,
        sink: &mut impl Sink,
    ) -> Result<(), FormError> {
        let interfaces = self.text.interfaces_mut();
        file.read_group(group, &mut self.workshop, interfaces, sink)
    }

    /// Ends an object that could not be read to its end: whatever is not
    /// complete is dropped.
    pub fn abandon(&mut self) {
        self.text.abandon();
        self.form = None;
        self.kept.clear();
        self.file = None;
        self.byte = 0;
        self.envelopes.restart();
        self.too_large = false;
    }

    /// As [`LogReader::expect`].
    pub fn expect(&mut self, headerless: &Layout) {
        self.text.expect(headerless);
    }

    /// As [`LogReader::take_overruled`].
    pub fn take_overruled(&mut self) -> bool {
        self.text.take_overruled()
    }

    /// As [`LogReader::interfaces`].
    #[must_use]
    pub fn interfaces(&self) -> &Interfaces {
        self.text.interfaces()
    }

    /// As [`LogReader::into_interfaces`].
    #[must_use]
    pub fn into_interfaces(self) -> Interfaces {
        self.text.into_interfaces()
    }
}
