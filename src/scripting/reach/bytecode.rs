//! Lua 5.1's compiled code as `lua_dump` writes it: a header, then one function within the other.

/// What a dump begins with: version 5.1, this machine's byte order, and the sizes of its numbers.
const HEADER: [u8; 12] = [
    0x1b,
    b'L',
    b'u',
    b'a',
    0x51,
    0,
    cfg!(target_endian = "little") as u8,
    4,
    size_of::<usize>() as u8,
    4,
    8,
    0,
];

/// Longer code is not looked at: it would hold its locks for long.
const MOST_INSTRUCTIONS: usize = 1_000;

/// A constant of a function.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Constant {
    Number(f64),
    Text(Box<[u8]>),
    /// Nil, true, false.
    Other,
}

/// One instruction, taken apart. `b` and `c` are registers, or constants from [`CONSTANTS`] on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Instruction {
    pub op: u8,
    pub a: usize,
    pub b: usize,
    pub c: usize,
    /// The two together, unsigned and as the distance of a jump.
    pub bx: usize,
    pub jump: isize,
}

/// From here on an operand is a constant.
pub(super) const CONSTANTS: usize = 256;

impl Instruction {
    fn new(word: u32) -> Self {
        let field = |shift: u32, bits: u32| ((word >> shift) & ((1 << bits) - 1)) as usize;
        let bx = field(14, 18);
        Self {
            op: field(0, 6) as u8,
            a: field(6, 8),
            b: field(23, 9),
            c: field(14, 9),
            bx,
            jump: bx as isize - 131_071,
        }
    }
}

/// Instructions, by their numbers in Lua 5.1.
#[allow(missing_docs)]
pub(super) mod op {
    pub const MOVE: u8 = 0;
    pub const LOADK: u8 = 1;
    pub const LOADBOOL: u8 = 2;
    pub const LOADNIL: u8 = 3;
    pub const GETGLOBAL: u8 = 5;
    pub const GETTABLE: u8 = 6;
    pub const SETTABLE: u8 = 9;
    pub const NEWTABLE: u8 = 10;
    pub const SELF: u8 = 11;
    pub const ADD: u8 = 12;
    pub const POW: u8 = 17;
    pub const UNM: u8 = 18;
    pub const NOT: u8 = 19;
    pub const LEN: u8 = 20;
    pub const CONCAT: u8 = 21;
    pub const JMP: u8 = 22;
    pub const EQ: u8 = 23;
    pub const TEST: u8 = 26;
    pub const TESTSET: u8 = 27;
    pub const CALL: u8 = 28;
    pub const TAILCALL: u8 = 29;
    pub const RETURN: u8 = 30;
    pub const FORLOOP: u8 = 31;
    pub const FORPREP: u8 = 32;
    pub const TFORLOOP: u8 = 33;
    pub const SETLIST: u8 = 34;
}

/// A script's main function, which has no other in it.
#[derive(Debug)]
pub(super) struct Code {
    pub instructions: Vec<Instruction>,
    pub constants: Vec<Constant>,
    pub registers: usize,
}

impl Code {
    /// Reads a dump. `None` for what is not looked at: functions within functions, and what is not of this form.
    pub fn parse(dump: &[u8]) -> Option<Self> {
        let mut input = Input(dump.strip_prefix(&HEADER)?);
        input.text()?;
        let (_first_line, _last_line) = (input.int()?, input.int()?);
        let [_captured, _parameters, _variable, registers] = input.take()?;
        let count = input.count().filter(|count| *count <= MOST_INSTRUCTIONS)?;
        let instructions = (0..count).map(|_| input.take().map(u32::from_ne_bytes));
        let instructions: Vec<Instruction> = instructions
            .map(|word| word.map(Instruction::new))
            .collect::<Option<_>>()?;
        let count = input.count()?;
        let constants = (0..count)
            .map(|_| input.constant())
            .collect::<Option<_>>()?;
        let functions = input.count()?;
        (functions == 0).then_some(Self {
            instructions,
            constants,
            registers: registers.into(),
        })
    }
}

/// What of a dump has not been read yet.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    fn int(&mut self) -> Option<i32> {
        self.take().map(i32::from_ne_bytes)
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.int()?).ok()
    }

    /// A text with the zero behind it; a length of zero is none.
    fn text(&mut self) -> Option<&'a [u8]> {
        let len = usize::from_ne_bytes(self.take()?);
        let text = self.bytes(len)?;
        Some(text.strip_suffix(&[0]).unwrap_or_default())
    }

    fn constant(&mut self) -> Option<Constant> {
        let [kind] = self.take()?;
        match kind {
            0 => Some(Constant::Other),
            1 => self.take::<1>().map(|_| Constant::Other),
            3 => self.take().map(f64::from_ne_bytes).map(Constant::Number),
            4 => self.text().map(|text| Constant::Text(text.into())),
            _ => None,
        }
    }
}
