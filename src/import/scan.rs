//! Cuts a `GeoJSON` text at the brackets of its `features`, without parsing it.

use crate::domain::said::{Said, say};

/// What one feature may be long in bytes.
pub(super) const FEATURE_LIMIT: usize = 64 << 20;

/// Where the scanner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Before,
    /// Between the brackets of `features`; a value may, or may not, come next.
    Between {
        value_may_come: bool,
    },
    /// In a value of `features`; a scalar has no brackets to end at.
    Inside {
        scalar: bool,
    },
    After,
}

/// Cuts the text at the brackets: it knows strings and nesting and nothing else of JSON.
pub(super) struct Scan {
    phase: Phase,
    pub(super) line: u64,
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The string read last at the depth of the members, and whether its colon followed.
    key: Vec<u8>,
    key_is_next: bool,
    /// All but the features.
    pub(super) frame: Vec<u8>,
    pub(super) feature: Vec<u8>,
    pub(super) feature_line: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Nothing,
    Feature,
    Bad(Said),
}

pub(super) fn too_long() -> Said {
    say!("a feature of more than 64 MiB", "单个要素超过 64 MiB")
}

impl Scan {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Before,
            line: 1,
            depth: 0,
            in_string: false,
            escaped: false,
            key: Vec::new(),
            key_is_next: false,
            frame: Vec::new(),
            feature: Vec::new(),
            feature_line: 1,
        }
    }

    /// Whether the text may end here: nothing is open.
    pub(super) fn is_whole(&self) -> bool {
        self.depth == 0 && !self.in_string && matches!(self.phase, Phase::Before | Phase::After)
    }

    /// Whether the `features` of a collection were there.
    pub(super) fn has_features(&self) -> bool {
        self.phase == Phase::After
    }

    /// Takes bytes up to and with the next cut, and says how many.
    pub(super) fn take_piece(&mut self, piece: &[u8]) -> (Cut, usize) {
        let mut used = 0;
        while used < piece.len() {
            if self.phase == (Phase::Inside { scalar: false }) {
                used += self.take_run(&piece[used..]);
            }
            let Some(byte) = piece.get(used) else { break };
            used += 1;
            let cut = self.take(*byte);
            if cut != Cut::Nothing {
                return (cut, used);
            }
        }
        (Cut::Nothing, used)
    }

    /// Takes what does not end the feature at hand: what [`Self::take_feature`] does byte by byte,
    /// for the bulk of the file.
    fn take_run(&mut self, piece: &[u8]) -> usize {
        let piece = &piece[..piece.len().min(FEATURE_LIMIT - self.feature.len())];
        let (mut depth, mut in_string, mut escaped, mut lines) = (self.depth, self.in_string, self.escaped, 0);
        let mut used = piece.len();
        for (index, &byte) in piece.iter().enumerate() {
            if in_string {
                in_string = byte != b'"' || escaped;
                escaped = byte == b'\\' && !escaped;
            } else {
                match byte {
                    b'"' => in_string = true,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' if depth == 3 => {
                        used = index;
                        break;
                    }
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
            }
            lines += u64::from(byte == b'\n');
        }
        (self.depth, self.in_string, self.escaped) = (depth, in_string, escaped);
        self.line += lines;
        self.feature.extend_from_slice(&piece[..used]);
        used
    }

    /// Takes one byte.
    fn take(&mut self, byte: u8) -> Cut {
        if byte == b'\n' {
            self.line += 1;
        }
        match self.phase {
            Phase::Before | Phase::After => self.take_frame(byte),
            Phase::Between { value_may_come } => self.take_between(byte, value_may_come),
            Phase::Inside { scalar } => self.take_feature(byte, scalar),
        }
    }

    /// Follows strings and brackets; true where the byte is one of structure.
    fn follow(&mut self, byte: u8) -> bool {
        if self.in_string {
            let closes = byte == b'"' && !self.escaped;
            self.escaped = byte == b'\\' && !self.escaped;
            self.in_string = !closes;
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        true
    }

    fn take_frame(&mut self, byte: u8) -> Cut {
        if self.frame.len() >= FEATURE_LIMIT {
            return Cut::Bad(say!("no features in the first 64 MiB", "前 64 MiB 中没有 features"));
        }
        let was_in_string = self.in_string;
        let structure = self.follow(byte);
        self.frame.push(byte);
        if self.phase == Phase::After {
            return Cut::Nothing;
        }
        if !structure {
            if self.depth == 1 && self.key.len() < 16 {
                self.key.push(byte);
            }
            return Cut::Nothing;
        }
        match byte {
            b'"' if !was_in_string => self.key.clear(),
            b':' if self.depth == 1 => self.key_is_next = self.key == b"features\"",
            b'[' if self.depth == 2 && self.key_is_next => self.phase = Phase::Between { value_may_come: true },
            _ if byte.is_ascii_whitespace() => {}
            _ => self.key_is_next = false,
        }
        Cut::Nothing
    }

    fn take_between(&mut self, byte: u8, value_may_come: bool) -> Cut {
        match byte {
            _ if byte.is_ascii_whitespace() => Cut::Nothing,
            b']' => {
                self.depth -= 1;
                self.frame.push(byte);
                self.phase = Phase::After;
                Cut::Nothing
            }
            b',' if !value_may_come => {
                self.phase = Phase::Between { value_may_come: true };
                Cut::Nothing
            }
            b',' => Cut::Bad(say!("a comma without a feature before it", "逗号前没有要素")),
            _ if !value_may_come => Cut::Bad(say!("a comma is missing between two features", "两个要素之间缺少逗号")),
            _ => {
                self.feature.clear();
                self.feature_line = self.line;
                self.phase = Phase::Inside { scalar: !matches!(byte, b'{' | b'[') };
                self.take_feature(byte, !matches!(byte, b'{' | b'['))
            }
        }
    }

    fn take_feature(&mut self, byte: u8, scalar: bool) -> Cut {
        if self.feature.len() >= FEATURE_LIMIT {
            return Cut::Bad(too_long());
        }
        if scalar && !self.in_string && matches!(byte, b',' | b']') {
            self.phase = Phase::Between { value_may_come: false };
            // A scalar is no feature, and only the next byte tells that it has ended.
            self.take_between(byte, false);
            return Cut::Feature;
        }
        if scalar && !self.in_string && matches!(byte, b'{' | b'[' | b'}') {
            return Cut::Bad(say!("brackets that do not match in features", "features 中的括号不配对"));
        }
        let structure = self.follow(byte);
        self.feature.push(byte);
        if structure && !scalar && self.depth == 2 && matches!(byte, b'}' | b']') {
            self.phase = Phase::Between { value_may_come: false };
            return Cut::Feature;
        }
        Cut::Nothing
    }
}
