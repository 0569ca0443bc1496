//! The two servers side by side: sends steps to both in pipelines, compares replies and whole keyspaces, and words the
//! differences.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::io;
use std::ops::Range;

use super::carry::Wires;
use super::compare::{self, Comparison};
use super::generate::{Args, Carried, DATABASES, Replies, Sender, Step};
use super::lua_values::SHOW;
use super::types;
use super::wire::{Tree, Wire, encode};
use crate::common::Server;

/// Commands shown with a difference.
const SHOWN_COMMANDS: usize = 20;
/// Commands shown with a difference that name what the differing one names.
const SHOWN_RELATED: usize = 40;
/// Commands remembered to find these among.
const REMEMBERED_COMMANDS: usize = 200_000;
/// Bytes shown of an argument and of a reply.
const SHOWN_ARG: usize = 100;
/// A script is shown whole, but for what all of them begin with.
const SHOWN_SCRIPT: usize = 3_000;
const SHOWN_REPLY: usize = 1_500;
/// A SCAN that does not end within so many calls never does.
const MAX_CURSORS: usize = 10_000;

pub struct Pair {
    ours: Peer,
    reference: Peer,
    /// By sender: the commands that wait for EXEC.
    queued: [Vec<Args>; 2],
    recent: VecDeque<(Sender, Args)>,
    comparison: Comparison,
    protocol: u8,
    sent: usize,
    marks: usize,
}

/// Replies that ought to be equal.
pub struct Difference {
    pub command: String,
    pub text: String,
    /// Whether it is none, but the servers hold different data from here on.
    pub is_accepted: bool,
}

/// One server and the connections to it.
struct Peer {
    server: Server,
    wires: [Wire; 2],
    observer: Wire,
}

/// What a step led to on one server; an error stands for a reply that did not come.
type Answer = io::Result<Vec<u8>>;

impl Peer {
    fn new(server: Server, protocol: u8) -> Peer {
        let connect = || connect(&server, protocol);
        Peer {
            wires: [connect(), connect()],
            observer: connect(),
            server,
        }
    }

    /// Empties the server and leaves the old connections behind, whatever state they are in.
    fn start_over(&mut self, protocol: u8) {
        // What was sent may still be running: it must not go on behind the flush.
        for wire in &mut self.wires {
            let _ = wire.drain();
        }
        self.wires = [(), ()].map(|()| connect(&self.server, protocol));
        self.observer = connect(&self.server, protocol);
        for line in ["FLUSHALL", "SCRIPT FLUSH", "FUNCTION FLUSH"] {
            let words: Vec<&str> = line.split(' ').collect();
            self.observer.ask(&words).expect("a flush is answered");
        }
    }
}

fn connect(server: &Server, protocol: u8) -> Wire {
    let mut wire = Wire::connect(server.port());
    if protocol == 3 {
        wire.ask(&["HELLO", "3"]).expect("HELLO is answered");
    }
    wire
}

impl Pair {
    pub fn new(ours: Server, reference: Server, protocol: u8) -> Pair {
        let [ours, reference] = [ours, reference].map(|server| {
            let mut peer = Peer::new(server, protocol);
            if protocol == 2 {
                (peer
                    .observer
                    .ask(&["CONFIG", "SET", "rdbcompression", "no"]))
                .expect("CONFIG SET is answered");
            }
            peer
        });
        Pair {
            ours,
            reference,
            queued: [Vec::new(), Vec::new()],
            recent: VecDeque::new(),
            comparison: Comparison::default(),
            protocol,
            sent: 0,
            marks: 0,
        }
    }

    /// How many commands were sent to each server.
    pub fn sent(&self) -> usize {
        self.sent
    }

    /// Those commands of `names` that both servers know.
    pub fn common_commands(&mut self, names: &[&'static str]) -> BTreeSet<&'static str> {
        let knows = |peer: &mut Peer, name: &str| {
            let reply = peer
                .observer
                .ask(&[name.as_bytes()])
                .expect("a refused command is answered");
            !reply.starts_with(b"-ERR unknown command")
        };
        let both = names
            .iter()
            .filter(|name| knows(&mut self.ours, name) && knows(&mut self.reference, name));
        both.copied().collect()
    }

    pub fn summary(&self) -> String {
        format!(
            "RESP{}: {} commands; accepted differences:\n{}",
            self.protocol,
            self.sent,
            self.comparison.summary()
        )
    }

    /// Empties both servers and connects anew: after a difference their states have nothing to say.
    pub fn start_over(&mut self) {
        self.ours.start_over(self.protocol);
        self.reference.start_over(self.protocol);
        self.queued = [Vec::new(), Vec::new()];
        self.recent.clear();
    }

    /// Runs the steps in order; steps of one connection that follow each other go out together.
    pub fn run(&mut self, steps: &[Step]) -> Result<(), Difference> {
        let together = |a: &Step, b: &Step| {
            a.sender == b.sender && a.replies.is_pipelined() && b.replies.is_pipelined()
        };
        for batch in steps.chunk_by(together) {
            match batch {
                [step] if !step.replies.is_pipelined() => self.run_alone(step)?,
                _ => self.run_batch(batch)?,
            }
        }
        Ok(())
    }

    fn run_batch(&mut self, batch: &[Step]) -> Result<(), Difference> {
        let (mut frames, mut marks) = (Vec::new(), Vec::new());
        for step in batch {
            encode(&mut frames, &step.args);
            if step.replies == Replies::UntilMark {
                self.marks += 1;
                let mark = format!("mark-{}", self.marks);
                encode(&mut frames, &["PING", &mark]);
                marks.push(mark);
            }
        }
        let sender = batch[0].sender as usize;
        // A server that has gone shows itself where its replies are read.
        let _ = self.ours.wires[sender].send(&frames);
        let _ = self.reference.wires[sender].send(&frames);
        let mut marks = marks.into_iter();
        for step in batch {
            let mark = (step.replies == Replies::UntilMark)
                .then(|| marks.next().expect("a mark for each such step"));
            let ours = read(&mut self.ours.wires[sender], mark.as_deref());
            let reference = read(&mut self.reference.wires[sender], mark.as_deref());
            self.sent += 1;
            self.remember(step);
            self.check(step, ours, reference)?;
        }
        Ok(())
    }

    fn remember(&mut self, step: &Step) {
        if self.recent.len() == REMEMBERED_COMMANDS {
            self.recent.pop_front();
        }
        self.recent.push_back((step.sender, step.args.clone()));
    }

    fn check(&mut self, step: &Step, ours: Answer, reference: Answer) -> Result<(), Difference> {
        let (Ok(ours), Ok(reference)) = (&ours, &reference) else {
            return Err(self.difference(&step.args, &ours, &reference));
        };
        let queued = &mut self.queued[step.sender as usize];
        if reference == b"+QUEUED\r\n" {
            queued.push(step.args.clone());
        }
        let ends_transaction = matches!(
            compare::name(&step.args).as_str(),
            "EXEC" | "DISCARD" | "RESET"
        );
        let waiting = if ends_transaction {
            std::mem::take(queued)
        } else {
            Vec::new()
        };
        match self
            .comparison
            .accepts(&step.args, &waiting, ours, reference)
        {
            true => Ok(()),
            false => Err(self.difference(&step.args, &Ok(ours.clone()), &Ok(reference.clone()))),
        }
    }

    /// A step that takes more than one call, told by what each server has already answered.
    fn run_alone(&mut self, step: &Step) -> Result<(), Difference> {
        let sender = step.sender as usize;
        self.sent += 1;
        self.remember(step);
        let answer = match step.replies {
            Replies::Carried(carried) => return self.carry(step, carried),
            Replies::Member => random_key,
            _ => scan,
        };
        let ours = answer(&mut self.ours.wires[sender], &step.args);
        let reference = answer(&mut self.reference.wires[sender], &step.args);
        match (&ours, &reference) {
            (Ok(a), Ok(b)) if a == b => Ok(()),
            _ => Err(self.difference(&step.args, &ours, &reference)),
        }
    }

    fn carry(&mut self, step: &Step, carried: Carried) -> Result<(), Difference> {
        let sender = step.sender as usize;
        let mut wires = Wires {
            ours: &mut self.ours.wires[sender],
            reference: &mut self.reference.wires[sender],
        };
        // In RESP3 payloads are packed, which each server does in its own way.
        let with_bytes = self.protocol == 2;
        wires
            .carry(&step.args[1], carried, with_bytes, &mut self.comparison)
            .map_err(|(args, ours, reference)| self.difference(&args, &Ok(ours), &Ok(reference)))
    }

    /// Compares every key of every database in use: type, encoding, expiry, value.
    pub fn compare_keyspaces(&mut self) -> Result<(), Difference> {
        for database in DATABASES {
            let words = |line: &str| {
                line.split(' ')
                    .map(|word| word.as_bytes().to_vec())
                    .collect::<Args>()
            };
            self.observe(&[words(&format!("SELECT {database}")), words("DBSIZE")])?;
            let keys = Tree::parse(&self.observe(&[words("KEYS *")])?[0]);
            let keys: Vec<Vec<u8>> = keys.items.into_iter().map(|key| key.text).collect();
            let about = |line: &str| {
                let commands = keys
                    .iter()
                    .map(|key| [words(line), vec![key.clone()]].concat());
                commands.collect::<Vec<Args>>()
            };
            self.observe(&about("OBJECT ENCODING"))?;
            self.observe(&about("PTTL"))?;
            let types = self.observe(&about("TYPE"))?;
            let readers = keys.iter().zip(&types).filter_map(|(key, reply)| {
                let type_name = Tree::parse(reply).text;
                types::reader(&type_name, key)
            });
            self.observe(&readers.collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// Sends the commands on connections of their own; gives the reference's replies.
    fn observe(&mut self, commands: &[Args]) -> Result<Vec<Vec<u8>>, Difference> {
        let mut frames = Vec::new();
        commands.iter().for_each(|args| encode(&mut frames, args));
        let _ = self.ours.observer.send(&frames);
        let _ = self.reference.observer.send(&frames);
        let mut replies = Vec::new();
        for args in commands {
            match (self.ours.observer.reply(), self.reference.observer.reply()) {
                (Ok(ours), Ok(reference))
                    if self.comparison.accepts(args, &[], &ours, &reference) =>
                {
                    replies.push(reference);
                }
                (ours, reference) => {
                    return Err(self.difference(args, &ours, &reference));
                }
            }
        }
        Ok(replies)
    }

    /// The commands with an argument that the given ones name, and those that concern all keys.
    fn related<'a>(&'a self, args: &'a Args) -> impl Iterator<Item = (usize, Sender, &'a Args)> {
        let words = args.get(1..).unwrap_or_default();
        let is_related = move |other: &Args| {
            let mut others = other.get(1..).unwrap_or_default().iter();
            others.any(|arg| arg.len() > 1 && words.contains(arg))
                || matches!(
                    compare::name(other).as_str(),
                    "FLUSHALL" | "FLUSHDB" | "SWAPDB" | "SELECT"
                )
        };
        let numbered = self.recent.iter().enumerate();
        numbered.filter_map(move |(at, (sender, other))| {
            is_related(other).then_some((at, *sender, other))
        })
    }

    fn difference(&self, args: &Args, ours: &Answer, reference: &Answer) -> Difference {
        let mut text = format!("after {} commands: {}\n", self.sent, shown(args));
        let answer = |answer: &Answer| match answer {
            Ok(reply) => cut(reply, SHOWN_REPLY),
            Err(error) => format!("no reply: {error}"),
        };
        let write = "a String takes every write";
        writeln!(text, "  under test: {}", answer(ours)).expect(write);
        writeln!(text, "  reference:  {}", answer(reference)).expect(write);
        writeln!(text, "  the last commands:").expect(write);
        for (sender, args) in self.recent.range(last(SHOWN_COMMANDS, self.recent.len())) {
            writeln!(text, "    {sender:?}: {}", shown(args)).expect(write);
        }
        writeln!(text, "  what came before about the same:").expect(write);
        let related: Vec<_> = self.related(args).collect();
        for (at, sender, args) in &related[last(SHOWN_RELATED, related.len())] {
            writeln!(text, "    {at} {sender:?}: {}", shown(args)).expect(write);
        }
        let is_accepted = match (ours, reference) {
            (Ok(ours), Ok(reference)) => compare::has_led_apart(args, ours, reference),
            _ => false,
        };
        Difference {
            command: compare::name(args),
            text,
            is_accepted,
        }
    }
}

/// One reply; or all that come up to the mark, as an array where they are not just one.
fn read(wire: &mut Wire, mark: Option<&str>) -> Answer {
    let Some(mark) = mark else {
        return wire.reply();
    };
    let end = format!("\r\n{mark}\r\n");
    let mut replies = Vec::new();
    loop {
        let reply = wire.reply()?;
        if !reply.ends_with(end.as_bytes()) {
            replies.push(reply);
        } else if replies.len() == 1 {
            return Ok(replies.remove(0));
        } else {
            let header = format!("*{}\r\n", replies.len()).into_bytes();
            return Ok([header, replies.concat()].concat());
        }
    }
}

/// Whether the key that RANDOMKEY gave exists, or the reply when that was no key.
fn random_key(wire: &mut Wire, args: &Args) -> Answer {
    let reply = wire.ask(args)?;
    match Tree::parse(&reply) {
        tree if tree.sign == b'$' => wire.ask(&[b"EXISTS", &tree.text[..]] as &[&[u8]; 2]),
        _ => Ok(reply),
    }
}

/// The sorted keys that a whole SCAN gave, or the reply that was no step of one.
fn scan(wire: &mut Wire, args: &Args) -> Answer {
    let mut args = args.clone();
    let mut keys = BTreeSet::new();
    for _ in 0..MAX_CURSORS {
        let reply = wire.ask(&args)?;
        let tree = Tree::parse(&reply);
        let [cursor, page] = &tree.items[..] else {
            return Ok(reply);
        };
        keys.extend(page.items.iter().map(|key| key.text.clone()));
        if cursor.text == b"0" {
            let mut all = Vec::new();
            encode(&mut all, &keys.into_iter().collect::<Vec<_>>());
            return Ok(all);
        }
        args[1].clone_from(&cursor.text);
    }
    Err(io::Error::other("the SCAN does not end"))
}

/// The last so many of all.
fn last(count: usize, all: usize) -> Range<usize> {
    all.saturating_sub(count)..all
}

fn shown(args: &Args) -> String {
    let is_script = compare::name(args).starts_with("EVAL");
    let args = args.iter().enumerate().map(|(place, arg)| {
        let show = SHOW.as_bytes();
        let shows = memchr::memmem::find(arg, show).filter(|_| is_script && place == 1);
        let (head, arg) = match shows {
            Some(at) => ("(shows values)", &arg[at + show.len()..]),
            None => ("", &arg[..]),
        };
        let length = if is_script && place == 1 {
            SHOWN_SCRIPT
        } else {
            SHOWN_ARG
        };
        format!("\"{head}{}\"", cut(arg, length))
    });
    args.collect::<Vec<_>>().join(" ")
}

fn cut(bytes: &[u8], length: usize) -> String {
    match bytes.get(..length) {
        Some(start) => format!("{}… ({} bytes)", start.escape_ascii(), bytes.len()),
        None => bytes.escape_ascii().to_string(),
    }
}
