//! The arguments of one command: ranges of the buffer that they arrived in, nothing copied.

/// No argument is longer, whatever `proto-max-bulk-len` allows: elements of collections keep their lengths in 31 bits.
pub const MAX_ARGUMENT: usize = (1 << 31) - 64;

/// One argument's place in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArgRange {
    /// Offset of the first byte.
    pub start: u32,
    /// Bytes.
    pub len: u32,
}

impl ArgRange {
    #[inline]
    fn of(self, buffer: &[u8]) -> &[u8] {
        &buffer[self.start as usize..][..self.len as usize]
    }
}

/// The arguments of a command, its name included.
#[derive(Clone, Copy)]
pub struct Args<'r> {
    buffer: &'r [u8],
    ranges: &'r [ArgRange],
}

impl<'r> Args<'r> {
    /// Arguments that lie at `ranges` of `buffer`.
    #[inline]
    pub fn new(buffer: &'r [u8], ranges: &'r [ArgRange]) -> Self {
        Self { buffer, ranges }
    }

    /// How many there are, the name included.
    #[inline]
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether there is not even a name.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The argument at `index`. Arity is checked before a handler runs, so its fixed arguments are there.
    #[inline]
    pub fn at(&self, index: usize) -> &'r [u8] {
        self.ranges[index].of(self.buffer)
    }

    /// The argument at `index`, where there is one.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&'r [u8]> {
        self.ranges.get(index).map(|range| range.of(self.buffer))
    }

    /// The arguments from `index` on.
    pub fn from(&self, index: usize) -> impl ExactSizeIterator<Item = &'r [u8]> + Clone + use<'r> {
        let buffer = self.buffer;
        self.ranges
            .get(index..)
            .unwrap_or_default()
            .iter()
            .map(move |range| range.of(buffer))
    }

    /// The arguments of a range.
    pub fn range(
        &self,
        range: std::ops::Range<usize>,
    ) -> impl ExactSizeIterator<Item = &'r [u8]> + Clone + use<'r> {
        let past_end = range.end.min(self.len());
        let mut args = *self;
        args.ranges = &self.ranges[..past_end];
        args.from(range.start)
    }

    /// All arguments.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'r [u8]> + Clone + use<'r> {
        self.from(0)
    }

    /// Whether the argument at `index` is this word, in any case. `word` is upper case.
    pub fn is(&self, index: usize, word: &str) -> bool {
        self.get(index)
            .is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// A stretch of the buffer that they lie in.
    pub fn sent(&self, start: u32, end: u32) -> &'r [u8] {
        &self.buffer[start as usize..end as usize]
    }

    /// Whether any argument is longer than this.
    pub fn has_longer_than(&self, len: usize) -> bool {
        self.ranges.iter().any(|range| range.len as usize > len)
    }

    /// Bytes of all arguments together.
    pub fn bytes(&self) -> usize {
        self.ranges.iter().map(|range| range.len as usize).sum()
    }
}

/// Arguments that own their bytes: queued by MULTI, read from a file, made by a script.
#[derive(Debug, Clone, Default)]
pub struct OwnedArgs {
    buffer: Vec<u8>,
    ranges: Vec<ArgRange>,
}

impl OwnedArgs {
    /// Copies arguments.
    pub fn copy<'a>(args: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut owned = Self::default();
        args.into_iter().for_each(|arg| owned.push(arg));
        owned
    }

    /// Whether an argument of so many bytes may be added.
    pub fn has_room_for(&self, len: usize) -> bool {
        len <= MAX_ARGUMENT && self.buffer.len() + len <= u32::MAX as usize
    }

    /// Adds one argument; [`OwnedArgs::has_room_for`] comes before where its length is not known to be harmless.
    pub fn push(&mut self, arg: &[u8]) {
        self.ranges.push(ArgRange {
            start: self.buffer.len() as u32,
            len: arg.len() as u32,
        });
        self.buffer.extend_from_slice(arg);
    }

    /// Forgets them but keeps the memory, up to a bound.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(64 * 1024);
        self.ranges.clear();
    }

    /// Looks at them.
    pub fn view(&self) -> Args<'_> {
        Args::new(&self.buffer, &self.ranges)
    }

    /// Bytes held.
    pub fn allocated(&self) -> usize {
        self.buffer.capacity() + self.ranges.capacity() * size_of::<ArgRange>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_arguments_are_told_apart() {
        let mut args = OwnedArgs::copy([&b"HSET"[..], b"key", b"field"]);
        assert!(args.view().has_longer_than(4) && !args.view().has_longer_than(5));
        assert!(args.has_room_for(MAX_ARGUMENT) && !args.has_room_for(MAX_ARGUMENT + 1));
        args.push(b"value");
        assert_eq!(args.view().bytes(), 17);
    }
}
