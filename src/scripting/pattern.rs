//! Lua's patterns, matched by ourselves: the result is Lua 5.1's, but a match that takes long can be interrupted, as its
//! own cannot. A pattern of a few items may try again more often than any server can wait.

/// What a place in a pattern that is no end is escaped with.
const ESCAPE: u8 = b'%';
/// Captures that a pattern may have.
pub const MOST_CAPTURES: usize = 32;
/// Items that may be waiting to be tried again: each takes a level of the machine's stack.
const MOST_DEPTH: usize = 1_000;
/// Steps between two looks at whether to go on.
const STEPS_A_LOOK: u32 = 100_000;

/// Why a pattern cannot be matched; Lua's texts.
pub type Malformed = &'static std::ffi::CStr;

/// What a capture holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capture {
    /// Not closed yet.
    Open(usize),
    /// A position.
    Position(usize),
    /// Bytes from here, so many.
    Range(usize, usize),
}

/// A pattern on its way through a text.
pub struct Matcher<'a> {
    text: &'a [u8],
    pattern: &'a [u8],
    captures: [Capture; MOST_CAPTURES],
    level: usize,
    depth: usize,
    steps: u32,
    /// Asked every so many steps; need not come back.
    look: &'a dyn Fn(),
}

type Outcome<T> = Result<T, Malformed>;

impl<'a> Matcher<'a> {
    /// `look` is called every now and then while a match takes long.
    pub fn new(text: &'a [u8], pattern: &'a [u8], look: &'a dyn Fn()) -> Self {
        Self {
            text,
            pattern,
            captures: [Capture::Open(0); MOST_CAPTURES],
            level: 0,
            depth: 0,
            steps: 0,
            look,
        }
    }

    /// Matches at a place of the text; gives where the match ends.
    pub fn at(&mut self, start: usize) -> Outcome<Option<usize>> {
        self.level = 0;
        self.depth = 0;
        self.matches(start, 0)
    }

    /// What the captures hold after a match.
    pub fn captures(&self) -> &[Capture] {
        &self.captures[..self.level]
    }

    fn step(&mut self, count: usize) {
        self.steps += count.min(STEPS_A_LOOK as usize) as u32;
        if self.steps >= STEPS_A_LOOK {
            self.steps = 0;
            (self.look)();
        }
    }

    /// A byte of the pattern; beyond its end, as in C, zero, which ends it.
    fn item(&self, at: usize) -> u8 {
        self.pattern.get(at).copied().unwrap_or(0)
    }

    /// A byte of the text; beyond its end zero.
    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    /// Matches the rest of the pattern one level deeper.
    fn deeper(&mut self, at: usize, item: usize) -> Outcome<Option<usize>> {
        if self.depth >= MOST_DEPTH {
            return Err(c"pattern too complex");
        }
        self.depth += 1;
        let result = self.matches(at, item);
        self.depth -= 1;
        result
    }

    fn matches(&mut self, mut at: usize, mut item: usize) -> Outcome<Option<usize>> {
        loop {
            self.step(1);
            match self.item(item) {
                b'(' if self.item(item + 1) == b')' => {
                    return self.open(at, item + 2, Capture::Position(at));
                }
                b'(' => return self.open(at, item + 1, Capture::Open(at)),
                b')' => return self.close(at, item + 1),
                0 => return Ok(Some(at)),
                b'$' if self.item(item + 1) == 0 => {
                    return Ok((at == self.text.len()).then_some(at));
                }
                ESCAPE if self.item(item + 1) == b'b' => match self.balance(at, item + 2)? {
                    Some(end) => (at, item) = (end, item + 4),
                    None => return Ok(None),
                },
                ESCAPE if self.item(item + 1) == b'f' => match self.frontier(at, item + 2)? {
                    Some(next) => item = next,
                    None => return Ok(None),
                },
                ESCAPE if self.item(item + 1).is_ascii_digit() => {
                    match self.again(at, self.item(item + 1))? {
                        Some(end) => (at, item) = (end, item + 2),
                        None => return Ok(None),
                    }
                }
                _ => {
                    let end = self.class_end(item)?;
                    let fits = at < self.text.len() && self.single(self.byte(at), item, end);
                    match self.item(end) {
                        b'?' => {
                            if fits && let Some(end) = self.deeper(at + 1, end + 1)? {
                                return Ok(Some(end));
                            }
                            item = end + 1;
                        }
                        b'*' => return self.most(at, item, end),
                        b'+' if fits => return self.most(at + 1, item, end),
                        b'+' => return Ok(None),
                        b'-' => return self.fewest(at, item, end),
                        _ if fits => (at, item) = (at + 1, end),
                        _ => return Ok(None),
                    }
                }
            }
        }
    }

    /// As often as it fits, then less often.
    fn most(&mut self, at: usize, item: usize, end: usize) -> Outcome<Option<usize>> {
        let rest = &self.text[at..];
        let mut count = 0;
        while count < rest.len() && self.single(rest[count], item, end) {
            count += 1;
            if count % 4096 == 0 {
                self.step(4096 * (end - item));
            }
        }
        loop {
            if let Some(end) = self.deeper(at + count, end + 1)? {
                return Ok(Some(end));
            }
            if count == 0 {
                return Ok(None);
            }
            count -= 1;
        }
    }

    /// As seldom as the rest allows.
    fn fewest(&mut self, mut at: usize, item: usize, end: usize) -> Outcome<Option<usize>> {
        loop {
            if let Some(end) = self.deeper(at, end + 1)? {
                return Ok(Some(end));
            }
            if at >= self.text.len() || !self.single(self.text[at], item, end) {
                return Ok(None);
            }
            at += 1;
        }
    }

    fn open(&mut self, at: usize, item: usize, capture: Capture) -> Outcome<Option<usize>> {
        if self.level >= MOST_CAPTURES {
            return Err(c"too many captures");
        }
        self.captures[self.level] = capture;
        self.level += 1;
        let result = self.deeper(at, item)?;
        if result.is_none() {
            self.level -= 1;
        }
        Ok(result)
    }

    fn close(&mut self, at: usize, item: usize) -> Outcome<Option<usize>> {
        let is_open = |capture: &Capture| matches!(capture, Capture::Open(_));
        let last = self.captures[..self.level].iter().rposition(is_open);
        let index = last.ok_or(c"invalid pattern capture")?;
        let before = self.captures[index];
        if let Capture::Open(start) = before {
            self.captures[index] = Capture::Range(start, at - start);
        }
        let result = self.deeper(at, item)?;
        if result.is_none() {
            self.captures[index] = before;
        }
        Ok(result)
    }

    /// `%1`: what a capture holds, once more.
    fn again(&mut self, at: usize, digit: u8) -> Outcome<Option<usize>> {
        let index = usize::from(digit).wrapping_sub(usize::from(b'1'));
        let (start, len) = match self.captures().get(index) {
            Some(Capture::Range(start, len)) => (*start, *len),
            // Lua takes the length of a position for one that no text has.
            Some(Capture::Position(_)) => return Ok(None),
            _ => return Err(c"invalid capture index"),
        };
        self.step(len / 16);
        let is_there = self.text[at..].starts_with(&self.text[start..start + len]);
        Ok(is_there.then_some(at + len))
    }

    /// `%bxy`: from an x up to its y.
    fn balance(&mut self, at: usize, item: usize) -> Outcome<Option<usize>> {
        let (first, last) = (self.item(item), self.item(item + 1));
        if first == 0 || last == 0 {
            return Err(c"unbalanced pattern");
        }
        if self.byte(at) != first {
            return Ok(None);
        }
        let mut open = 1;
        for (count, &byte) in self.text[at..].iter().enumerate().skip(1) {
            if byte == last {
                open -= 1;
                if open == 0 {
                    self.step(count);
                    return Ok(Some(at + count + 1));
                }
            } else if byte == first {
                open += 1;
            }
        }
        self.step(self.text.len() - at);
        Ok(None)
    }

    /// `%f[x]`: between a byte that is none of them and one that is.
    fn frontier(&mut self, at: usize, item: usize) -> Outcome<Option<usize>> {
        if self.item(item) != b'[' {
            return Err(c"missing '[' after '%%f' in pattern");
        }
        let end = self.class_end(item)?;
        let before = if at == 0 { 0 } else { self.byte(at - 1) };
        let is_there =
            !self.class(before, item, end - 1) && self.class(self.byte(at), item, end - 1);
        Ok(is_there.then_some(end))
    }

    /// Where the single item that begins here ends.
    fn class_end(&self, item: usize) -> Outcome<usize> {
        match self.item(item) {
            ESCAPE if self.item(item + 1) == 0 => Err(c"malformed pattern (ends with '%%')"),
            ESCAPE => Ok(item + 2),
            b'[' => {
                let mut at = item + 1 + usize::from(self.item(item + 1) == b'^');
                loop {
                    let first = self.item(at);
                    if first == 0 {
                        return Err(c"malformed pattern (missing ']')");
                    }
                    at += 1;
                    if first == ESCAPE && self.item(at) != 0 {
                        at += 1;
                    }
                    if self.item(at) == b']' {
                        return Ok(at + 1);
                    }
                }
            }
            _ => Ok(item + 1),
        }
    }

    /// Whether a byte is what the single item describes.
    fn single(&self, byte: u8, item: usize, end: usize) -> bool {
        match self.item(item) {
            b'.' => true,
            ESCAPE => is_of_class(byte, self.item(item + 1)),
            b'[' => self.class(byte, item, end - 1),
            literal => literal == byte,
        }
    }

    /// Whether a byte is in the set that begins at its bracket and ends before the other one.
    fn class(&self, byte: u8, item: usize, end: usize) -> bool {
        let is_negated = self.item(item + 1) == b'^';
        let mut at = item + 1 + usize::from(is_negated);
        while at < end {
            let first = self.item(at);
            if first == ESCAPE {
                at += 1;
                if is_of_class(byte, self.item(at)) {
                    return !is_negated;
                }
            } else if self.item(at + 1) == b'-' && at + 2 < end {
                at += 2;
                if (first..=self.item(at)).contains(&byte) {
                    return !is_negated;
                }
            } else if first == byte {
                return !is_negated;
            }
            at += 1;
        }
        is_negated
    }
}

/// `%a` and its like; any other letter stands for itself.
fn is_of_class(byte: u8, class: u8) -> bool {
    let is_in = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => byte.is_ascii_whitespace() || byte == 0x0b,
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return class == byte,
    };
    is_in != class.is_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use mlua::Lua;
    use proptest::prelude::*;

    use super::*;

    /// Start, end and captures of the first match, as Lua shows them.
    fn ours(text: &[u8], pattern: &[u8]) -> String {
        let mut matcher = Matcher::new(text, pattern, &|| {});
        for start in 0..=text.len() {
            match matcher.at(start) {
                Err(error) => return error.to_string_lossy().replace("%%", "%"),
                Ok(Some(end)) => {
                    let mut shown = format!("{} {end}", start + 1);
                    for capture in matcher.captures() {
                        shown += &match capture {
                            Capture::Open(_) => return "unfinished capture".to_owned(),
                            Capture::Position(at) => format!(" {}", at + 1),
                            Capture::Range(at, len) => {
                                format!(" {}", text[*at..at + len].escape_ascii())
                            }
                        };
                    }
                    return shown;
                }
                Ok(None) => {}
            }
        }
        "nothing".to_owned()
    }

    fn luas(lua: &Lua, text: &[u8], pattern: &[u8]) -> String {
        let find = lua
            .globals()
            .get::<mlua::Table>("string")
            .and_then(|library| library.get::<mlua::Function>("find"));
        let arguments = (
            lua.create_string(text).expect("memory"),
            lua.create_string(pattern).expect("memory"),
        );
        match find
            .expect("it has strings")
            .call::<mlua::MultiValue>(arguments)
        {
            Err(error) => {
                let text = error.to_string();
                let line = text.lines().next().unwrap_or_default();
                line.trim_start_matches("runtime error: ").to_owned()
            }
            Ok(values) if values.front().is_none_or(mlua::Value::is_nil) => "nothing".to_owned(),
            Ok(values) => {
                let shown = values.iter().map(|value| match value {
                    mlua::Value::String(text) => text.as_bytes().escape_ascii().to_string(),
                    mlua::Value::Number(number) => number.to_string(),
                    mlua::Value::Integer(number) => number.to_string(),
                    other => format!("{other:?}"),
                });
                shown.collect::<Vec<_>>().join(" ")
            }
        }
    }

    /// Patterns without an anchor that is one: `find` begins with it, the matcher does not know it.
    fn pattern() -> impl Strategy<Value = Vec<u8>> {
        let item = prop::sample::select(vec![
            "a", "b", "c", ".", "%a", "%A", "%d", "%s", "%w", "%%", "[ab]", "[^a]", "[a-c]",
            "[]a]", "[%a-]", "%1", "%2", "%0", "(", ")", "()", "%b()", "%bab", "%f[a]", "%f", "%b",
            "*", "+", "-", "?", "$", "[", "[^", "%", "\0", "]",
        ]);
        prop::collection::vec(item, 1..9).prop_map(|items| {
            // So that it is no plain text, which is not matched at all.
            format!(".-{}", items.concat()).into_bytes()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn matches_as_lua_does(text in "[abc(). 1%]{0,10}", pattern in pattern()) {
            thread_local! { static LUA: Lua = Lua::new(); }
            let expected = LUA.with(|lua| luas(lua, text.as_bytes(), &pattern));
            let given = ours(text.as_bytes(), &pattern);
            prop_assert!(given == expected || expected.ends_with(&given), "{given} / {expected}");
        }
    }

    #[test]
    fn long_matches_are_looked_at() {
        let looks = Cell::new(0);
        let look = || looks.set(looks.get() + 1);
        let (text, pattern) = ([b'a'; 60], b"a-a-a-a-a-b");
        assert_eq!(Matcher::new(&text, pattern, &look).at(0), Ok(None));
        assert!(looks.get() > 10, "{}", looks.get());
        let deep = "a?".repeat(5_000);
        let result = Matcher::new(&[b'a'; 6_000], deep.as_bytes(), &look).at(0);
        assert_eq!(result, Err(c"pattern too complex"));
    }
}
