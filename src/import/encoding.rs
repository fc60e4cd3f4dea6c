//! Text out of bytes (编码): whatever the file's encoding, UTF-8 with `\n` comes out, as a stream.
//!
//! A byte-order mark decides, then the profile, then the bytes themselves: up to the first
//! that is not ASCII nothing needs deciding, and from there on Chinese text is either UTF-8 or,
//! as Excel writes it, GB18030 (of which GBK and GB2312 are parts). The two hardly look like
//! each other, so a window of 64 KiB is enough.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use encoding_rs::{Decoder as Decode, Encoding, GB18030, UTF_8};

use crate::domain::said::{Said, say};

const WINDOW: usize = 64 * 1024;

/// How many more bytes may be read before the record at hand counts as endless (a quote that is
/// never closed); whoever parses renews it at each record.
pub type Budget = Arc<AtomicUsize>;

/// Decodes a stream. Bytes that the encoding does not know become U+FFFD; `\r\n` and `\r` become
/// `\n`, and the last line ends with one.
pub struct Decoder<R> {
    inner: R,
    raw: Box<[u8]>,
    raw_len: usize,
    end_of_input: bool,
    state: State,
    out: Vec<u8>,
    given: usize,
    after_cr: bool,
    unended_line: bool,
    budget: Budget,
}

enum State {
    Start(Option<&'static Encoding>),
    /// Only ASCII so far.
    Ascii,
    Decoding(Box<Decode>),
    End,
}

/// A record that is longer than any can be.
#[derive(Debug, thiserror::Error)]
#[error("a record without end")]
struct Endless;

/// Why a file cannot be read on.
pub(super) fn unreadable(error: &io::Error) -> Said {
    if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Endless>) {
        never_closed()
    } else {
        say!("{error}", "文件无法读取：{error}")
    }
}

pub(super) fn never_closed() -> Said {
    say!("a record without end: is a quotation mark never closed?", "记录没有结尾：是否有引号没有闭合？")
}

impl<R: Read> Decoder<R> {
    /// A decoder for the encoding that the profile names, if it does.
    pub fn new(inner: R, encoding: Option<&'static Encoding>) -> Self {
        Self {
            inner,
            raw: vec![0; WINDOW].into_boxed_slice(),
            raw_len: 0,
            end_of_input: false,
            state: State::Start(encoding),
            out: Vec::with_capacity(WINDOW),
            given: 0,
            after_cr: false,
            unended_line: false,
            budget: Arc::new(AtomicUsize::new(usize::MAX)),
        }
    }

    /// The encoding that the text was found, or said, to be in.
    pub fn encoding(&self) -> &'static Encoding {
        if let State::Decoding(decode) = &self.state { decode.encoding() } else { UTF_8 }
    }

    /// The handle with which a parser bounds its records.
    pub fn budget(&self) -> Budget {
        Arc::clone(&self.budget)
    }

    /// Reads until the window is full or the input ends.
    fn top_up(&mut self) -> io::Result<()> {
        while !self.end_of_input && self.raw_len < self.raw.len() {
            match self.inner.read(&mut self.raw[self.raw_len..]) {
                Ok(0) => self.end_of_input = true,
                Ok(n) => self.raw_len += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn used(&mut self, bytes: usize) {
        self.raw.copy_within(bytes..self.raw_len, 0);
        self.raw_len -= bytes;
    }

    /// Makes the next piece of output; nothing only at the end.
    fn fill(&mut self) -> io::Result<()> {
        self.out.clear();
        self.given = 0;
        while self.out.is_empty() && !matches!(self.state, State::End) {
            self.top_up()?;
            self.step();
            self.one_line_end();
        }
        Ok(())
    }

    fn step(&mut self) {
        match &mut self.state {
            State::Start(declared) => {
                let mark = Encoding::for_bom(&self.raw[..self.raw_len]);
                let encoding = mark.map(|(encoding, _)| encoding).or(*declared);
                self.state = encoding.map_or(State::Ascii, decoding);
                if let Some((_, length)) = mark {
                    self.used(length);
                }
            }
            State::Ascii => {
                let ascii = Encoding::ascii_valid_up_to(&self.raw[..self.raw_len]);
                self.out.extend_from_slice(&self.raw[..ascii]);
                if ascii == 0 {
                    self.state =
                        if self.raw_len == 0 { State::End } else { decoding(guess(&self.raw[..self.raw_len])) };
                }
                self.used(ascii);
            }
            State::Decoding(decode) => {
                let room = decode.max_utf8_buffer_length(self.raw_len).unwrap_or(4 * WINDOW);
                self.out.resize(room, 0);
                let (_, read, written, _) =
                    decode.decode_to_utf8(&self.raw[..self.raw_len], &mut self.out, self.end_of_input);
                self.out.truncate(written);
                self.used(read);
                if self.end_of_input && self.raw_len == 0 {
                    self.state = State::End;
                }
            }
            State::End => {}
        }
    }

    /// `\r\n` and `\r` become `\n`: readers then agree on what a line is.
    fn one_line_end(&mut self) {
        if self.after_cr || self.out.contains(&b'\r') {
            let mut after_cr = self.after_cr;
            self.out.retain_mut(|byte| {
                let second = after_cr && *byte == b'\n';
                after_cr = *byte == b'\r';
                if after_cr {
                    *byte = b'\n';
                }
                !second
            });
            self.after_cr = after_cr;
        }
        if let Some(last) = self.out.last() {
            self.unended_line = *last != b'\n';
        }
        if matches!(self.state, State::End) && self.unended_line {
            self.out.push(b'\n');
            self.unended_line = false;
        }
    }
}

fn decoding(encoding: &'static Encoding) -> State {
    State::Decoding(Box::new(encoding.new_decoder_without_bom_handling()))
}

/// UTF-8 or GB18030, for bytes that begin with one that is not ASCII. A stray bad byte in UTF-8
/// does not make it GB18030: the majority of its characters counts.
fn guess(window: &[u8]) -> &'static Encoding {
    let (mut good, mut bad) = (0_usize, 0_usize);
    let mut rest = window;
    for chunk in window.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        rest = &rest[chunk.valid().len() + chunk.invalid().len()..];
        // What the window's end cuts in two is neither.
        let cut = rest.is_empty() && std::str::from_utf8(chunk.invalid()).is_err_and(|e| e.error_len().is_none());
        bad += usize::from(!chunk.invalid().is_empty() && !cut);
    }
    if good >= bad { UTF_8 } else { GB18030 }
}

impl<R: Read> BufRead for Decoder<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.given == self.out.len() {
            self.fill()?;
        }
        Ok(&self.out[self.given..])
    }

    fn consume(&mut self, amount: usize) {
        self.given = (self.given + amount).min(self.out.len());
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let piece = self.fill_buf()?;
        let n = piece.len().min(buf.len());
        buf[..n].copy_from_slice(&piece[..n]);
        self.consume(n);
        let left = self.budget.load(Ordering::Relaxed);
        if left < n {
            return Err(io::Error::other(Endless));
        }
        self.budget.store(left - n, Ordering::Relaxed);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(bytes: &[u8], label: Option<&str>) -> String {
        let encoding = label.map(|label| Encoding::for_label(label.as_bytes()).unwrap());
        let mut text = String::new();
        Decoder::new(bytes, encoding).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn the_encoding_is_found() {
        let text = "编号,东坐标\n水001,531073.115\n";
        let (gb, ..) = GB18030.encode(text);
        let utf16: Vec<u8> = [0xFF, 0xFE].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(decoded(text.as_bytes(), None), text);
        assert_eq!(decoded(format!("\u{FEFF}{text}").as_bytes(), None), text);
        assert_eq!(decoded(format!("\u{FEFF}{text}").as_bytes(), Some("GB18030")), text);
        assert_eq!(decoded(&gb, None), text);
        assert_eq!(decoded(&gb, Some("gb2312")), text);
        assert_eq!(decoded(&utf16, None), text);
        assert!(decoded(&gb, Some("utf-8")).contains('\u{FFFD}'));
    }

    #[test]
    fn what_is_not_ascii_may_come_late_and_be_cut_in_two() {
        for ascii in [WINDOW - 1, WINDOW, 3 * WINDOW - 2, 100_000] {
            let text = format!("{}海晏社区\n", "a".repeat(ascii));
            assert_eq!(decoded(text.as_bytes(), None), text);
            assert_eq!(decoded(&GB18030.encode(&text).0, None), text);
        }
    }

    #[test]
    fn one_bad_byte_does_not_turn_utf8_into_gb18030() {
        let mut bytes = "海晏社区第三网格\n".repeat(9).into_bytes();
        bytes[4] = 0xFF;
        assert_eq!(decoded(&bytes, None).matches("第三网格").count(), 9);
    }

    #[test]
    fn lines_end_one_way() {
        assert_eq!(decoded(b"a\r\nb\rc\nd", None), "a\nb\nc\nd\n");
        assert_eq!(decoded(b"\r\r\n\n", None), "\n\n\n");
        assert_eq!(decoded(b"", None), "");
    }

    proptest! {
        #[test]
        fn any_bytes_decode(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            for label in [None, Some("utf-8"), Some("gb18030"), Some("utf-16"), Some("iso-2022-jp")] {
                let _ = decoded(&bytes, label);
            }
        }
    }
}
