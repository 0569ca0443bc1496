//! A list as the commands that make it.

use crate::journal::write_command;
use crate::structures::list::List;
use crate::structures::listpack::Item;

/// Elements of one command.
const ELEMENTS_AT_ONCE: usize = 64;

/// Writes the commands that make a list.
pub(super) fn write(out: &mut Vec<u8>, key: &[u8], list: &List) {
    let mut items = list.iter();
    let mut left = list.len();
    while left > 0 {
        let count = left.min(ELEMENTS_AT_ONCE);
        let group: Vec<Item<'_>> = items.by_ref().take(count).collect();
        let mut buffers = vec![itoa::Buffer::new(); group.len()];
        let mut args: Vec<&[u8]> = vec![b"RPUSH", key];
        args.extend(
            group
                .iter()
                .zip(&mut buffers)
                .map(|(item, buffer)| item.as_bytes(buffer)),
        );
        write_command(out, args.into_iter());
        left -= count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::structures::list::{End, Limit};

    #[test]
    fn elements_come_in_groups() {
        let (mut list, limit) = (List::default(), Limit::of(-2));
        for number in 0..70 {
            list.push(End::Tail, number.to_string().as_bytes(), limit);
        }
        let mut out = Vec::new();
        write(&mut out, b"key", &list);
        let text = String::from_utf8(out).expect("text");
        assert!(text.starts_with("*66\r\n$5\r\nRPUSH\r\n$3\r\nkey\r\n$1\r\n0\r\n"));
        assert!(text.contains("\r\n*8\r\n$5\r\nRPUSH\r\n$3\r\nkey\r\n$2\r\n64\r\n"));
        assert!(text.ends_with("$2\r\n69\r\n"));
    }
}
