//! Carries a value of each server to the other by DUMP and RESTORE, and compares what has become of it.

use super::compare::Comparison;
use super::generate::{Args, Carried};
use super::types;
use super::wire::{Tree, Wire};

/// Where values are restored that must not take the place of their originals.
const BESIDE: &[u8] = b"carried";

/// The connections to both servers.
pub struct Wires<'a> {
    pub ours: &'a mut Wire,
    pub reference: &'a mut Wire,
}

/// What the server under test and the reference reply.
type Replies = (Vec<u8>, Vec<u8>);

/// A command and the two replies that ought to be equal.
pub type Unequal = (Args, Vec<u8>, Vec<u8>);

fn words(line: &str, key: &[u8]) -> Args {
    let mut args: Args = line.split(' ').map(Into::into).collect();
    args.push(key.to_vec());
    args
}

/// The commands that read all of a value.
fn readers(type_name: &[u8], key: &[u8]) -> Vec<Args> {
    let mut readers: Vec<Args> = types::reader(type_name, key).into_iter().collect();
    if type_name == b"stream" {
        readers.push(words("XINFO GROUPS", key));
    }
    readers
}

fn ask(wire: &mut Wire, args: &Args) -> Vec<u8> {
    wire.ask(args)
        .unwrap_or_else(|error| format!("no reply: {error}").into_bytes())
}

impl Wires<'_> {
    fn ask(&mut self, args: &Args) -> Replies {
        (ask(self.ours, args), ask(self.reference, args))
    }

    /// Gives each server the other's payload of a key. `with_bytes` says that payloads have to be equal where the values'
    /// encodings and the orders of their elements are.
    pub fn carry(
        &mut self,
        key: &[u8],
        carried: Carried,
        with_bytes: bool,
        comparison: &mut Comparison,
    ) -> Result<(), Unequal> {
        let dump = words("DUMP", key);
        let (ours, reference) = self.ask(&dump);
        let (our_payload, their_payload) = (Tree::parse(&ours), Tree::parse(&reference));
        if our_payload.sign != b'$' || their_payload.sign != b'$' || reference == b"$-1\r\n" {
            return match ours == reference {
                true => Ok(()),
                false => Err((dump, ours, reference)),
            };
        }
        let type_name = Tree::parse(&ask(self.reference, &words("TYPE", key))).text;
        let originals = self.read(&readers(&type_name, key), comparison)?;
        let are_same = originals.iter().all(|(ours, reference)| ours == reference);
        if with_bytes && are_same && type_name != b"stream" && ours != reference {
            return Err((dump, ours, reference));
        }
        let target = match carried {
            Carried::Beside => BESIDE,
            Carried::InPlace => key,
        };
        let restore = |payload: &Tree| -> Args {
            let mut args = words("RESTORE", target);
            args.extend([b"0".to_vec(), payload.text.clone(), b"REPLACE".to_vec()]);
            args
        };
        let replies = (
            ask(self.ours, &restore(&their_payload)),
            ask(self.reference, &restore(&our_payload)),
        );
        if replies != (b"+OK\r\n".to_vec(), b"+OK\r\n".to_vec()) {
            return Err((restore(&our_payload), replies.0, replies.1));
        }
        let commands = readers(&type_name, target);
        let copies = self.read(&commands, comparison)?;
        for ((args, (_, original)), (_, copy)) in commands.iter().zip(&originals).zip(&copies) {
            if !comparison.accepts(args, &[], copy, original) {
                return Err((args.clone(), copy.clone(), original.clone()));
            }
        }
        self.read(&[words("OBJECT ENCODING", target)], comparison)?;
        if carried == Carried::Beside {
            self.ask(&words("DEL", BESIDE));
        }
        Ok(())
    }

    fn read(
        &mut self,
        commands: &[Args],
        comparison: &mut Comparison,
    ) -> Result<Vec<Replies>, Unequal> {
        let mut replies = Vec::new();
        for args in commands {
            let (ours, reference) = self.ask(args);
            if !comparison.accepts(args, &[], &ours, &reference) {
                return Err((args.clone(), ours, reference));
            }
            replies.push((ours, reference));
        }
        Ok(replies)
    }
}
