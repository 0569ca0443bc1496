//! The process's title: what lists of processes show in the place of the command line.
//!
//! The kernel shows the memory in which it has put the arguments, and, where they do not end with it, the environment behind
//! them. So that there is room for a longer title, the environment's texts are moved away first.

use std::fs;
use std::io;
use std::sync::OnceLock;

/// Where the title is written: the first byte's address, and how many there are.
static ROOM: OnceLock<(usize, usize)> = OnceLock::new();

/// Finds room for a title.
///
/// # Safety
///
/// There must be no other thread yet, and nobody may use the program's arguments where they lie from now on.
pub unsafe fn prepare() -> io::Result<()> {
    let text = fs::read_to_string("/proc/self/stat")?;
    // The program's name may hold blanks and brackets; what follows it does not.
    let fields: Vec<&str> = text
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split(' ')
        .collect();
    // Fields are counted from 1, and the first of these is the second, which is empty here.
    let number = |field: usize| {
        fields
            .get(field - 2)
            .and_then(|text| text.trim().parse().ok())
    };
    let (Some(start), Some(end), Some(next), Some(last)) =
        (number(48), number(49), number(50), number(51))
    else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    let (start, mut end, next, last): (usize, usize, usize, usize) = (start, end, next, last);
    if start == 0 || end <= start {
        return Err(io::ErrorKind::Unsupported.into());
    }
    if next == end && last > next {
        for (name, value) in std::env::vars_os().collect::<Vec<_>>() {
            // SAFETY: the caller says that there is no other thread that could look at the environment meanwhile. The C
            // library makes a copy even of a value that stays the same.
            unsafe { std::env::set_var(name, value) };
        }
        end = last;
    }
    // There is one start.
    let _ = ROOM.set((start, end - start));
    Ok(())
}

/// Shows a title, as far as there is room; nothing without [`prepare`].
pub fn set(title: &str) {
    let Some(&(start, room)) = ROOM.get() else {
        return;
    };
    let shown = &title.as_bytes()[..title.len().min(room - 1)];
    let start = start as *mut u8;
    // SAFETY: the kernel has told where the arguments and the environment lie, in memory of the process that can be written;
    // `prepare` has seen to it that nothing else uses it.
    unsafe {
        start.write_bytes(0, room);
        start.copy_from_nonoverlapping(shown.as_ptr(), shown.len());
    }
}
