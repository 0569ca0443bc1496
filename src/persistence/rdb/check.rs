//! Going through a snapshot file without a server: every value is read, none is kept.

use std::io::Read;

use super::cursor::{Malformed, Reader};
use super::read::{Limits, read_kind};
use super::split::{Batch, Checksum, Part, Splitter};
use super::{Fault, ModuleName, Problem, kind};
use crate::config::Config;

/// What is met on the way.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Finding<'f> {
    Field {
        offset: u64,
        name: &'f str,
        text: &'f str,
    },
    Database {
        offset: u64,
        number: u64,
    },
    Module {
        offset: u64,
        name: ModuleName,
    },
    Unchecked {
        offset: u64,
    },
    ChecksumRight {
        offset: u64,
    },
    Progress {
        offset: u64,
    },
}

/// What has been counted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Bytes up to the end or to what is wrong.
    pub bytes: u64,
    /// Keys read.
    pub keys: u64,
    /// Those that expire.
    pub expiring: u64,
    /// Those whose time has passed.
    pub expired: u64,
}

/// What is wrong with a file.
#[derive(Debug)]
pub struct Defect {
    /// Bytes before it.
    pub offset: u64,
    /// What it is, as Redis says it.
    pub problem: String,
    /// What was being done.
    pub doing: &'static str,
    /// Key, number and name of the type of the value that it is in.
    pub value: Option<(String, u8, &'static str)>,
}

/// How a check has ended.
#[derive(Debug)]
pub struct Check {
    /// What is wrong, if anything.
    pub fault: Option<Defect>,
    /// What has been counted.
    pub tally: Tally,
}

/// Goes through a file.
pub fn check(
    input: impl Read,
    config: &Config,
    now: i64,
    show: &mut dyn FnMut(Finding<'_>),
) -> Check {
    let mut checker = Checker {
        limits: Limits::of(config),
        now,
        tally: Tally::default(),
        show,
    };
    let fault = match Splitter::new(input, true) {
        Ok(mut splitter) => checker.walk(&mut splitter).err(),
        Err(fault) => Some(Defect::new(&fault, "start")),
    };
    Check {
        fault,
        tally: checker.tally,
    }
}

impl Defect {
    fn new(fault: &Fault, doing: &'static str) -> Self {
        let problem = match &fault.problem {
            Problem::Value(Malformed::Ended) => "Unexpected EOF reading RDB file".to_owned(),
            Problem::Value(Malformed::Type(kind)) => format!("Invalid object type: {kind}"),
            Problem::Checksum { .. } => "RDB CRC error".to_owned(),
            other => other.to_string(),
        };
        Self {
            offset: fault.offset,
            problem,
            doing,
            value: None,
        }
    }
}

struct Checker<'s> {
    limits: Limits,
    now: i64,
    tally: Tally,
    show: &'s mut dyn FnMut(Finding<'_>),
}

impl Checker<'_> {
    fn walk<R: Read>(&mut self, splitter: &mut Splitter<R>) -> Result<(), Defect> {
        loop {
            let part = splitter.advance();
            let offset = splitter.position();
            self.tally.bytes = offset;
            match part.map_err(|fault| in_value(&fault, splitter))? {
                Part::Values(batch) => {
                    self.read_all(&batch)?;
                    (self.show)(Finding::Progress { offset });
                }
                Part::Field(name, text) => {
                    let (name, text) = (name.escape_ascii(), text.escape_ascii());
                    let (name, text) = (&*name.to_string(), &*text.to_string());
                    (self.show)(Finding::Field { offset, name, text });
                }
                Part::Database(number) => (self.show)(Finding::Database { offset, number }),
                Part::ModuleData(name) => (self.show)(Finding::Module { offset, name }),
                Part::Function(_) => {}
                Part::End => break,
            }
        }
        let checksum = splitter.checksum();
        let checksum = checksum.map_err(|fault| Defect::new(&fault, splitter.doing()))?;
        let offset = splitter.position();
        self.tally.bytes = offset;
        match checksum {
            None => {}
            Some(Checksum { stated: 0, .. }) => (self.show)(Finding::Unchecked { offset }),
            Some(Checksum { stated, counted }) if stated == counted => {
                (self.show)(Finding::ChecksumRight { offset });
            }
            Some(Checksum { stated, counted }) => {
                let fault = splitter.fault(Problem::Checksum { stated, counted });
                return Err(Defect::new(&fault, splitter.doing()));
            }
        }
        Ok(())
    }

    fn read_all(&mut self, batch: &Batch) -> Result<(), Defect> {
        for raw in &batch.entries {
            self.tally.keys += 1;
            let bytes = batch.bytes.get(raw.place.clone()).unwrap_or_default();
            let mut reader = Reader::new(bytes.get(1..).unwrap_or_default());
            let key = reader.string();
            let read = key.clone().and_then(|_| {
                match read_kind(&mut reader, raw.kind, &self.limits) {
                    // What a module keeps says nothing without it, but could be walked over.
                    Ok(_) | Err(Malformed::UnknownModule(_)) => Ok(()),
                    Err(error) => Err(error),
                }
            });
            if let Err(error) = read {
                let offset = batch.offset + (raw.place.end - reader.left()) as u64;
                let problem = Problem::Value(error);
                let mut defect = Defect::new(&Fault { offset, problem }, "read-object-value");
                let key = key.unwrap_or_default().escape_ascii().to_string();
                defect.value = Some((key, raw.kind, kind::name(raw.kind)));
                return Err(defect);
            }
            if let Some(at) = raw.expires_at {
                self.tally.expiring += 1;
                self.tally.expired += u64::from(at < self.now);
            }
        }
        Ok(())
    }
}

/// A fault met while a file was split: which value it is in.
fn in_value<R: Read>(fault: &Fault, splitter: &Splitter<R>) -> Defect {
    let mut defect = Defect::new(fault, splitter.doing());
    if defect.doing == "read-object-value"
        && let Some((kind, rest)) = splitter.rest().split_first()
        && let Ok(key) = Reader::new(rest).string()
    {
        defect.value = Some((key.escape_ascii().to_string(), *kind, kind::name(*kind)));
    }
    defect
}
