//! Work that can be put aside in the middle: it runs on a stack of its own, from which the thread can leave for something
//! else and to which it comes back. Nothing else could let a worker see to its clients while a script of one of them runs:
//! the interpreter's state lies on the machine's stack.

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::ptr;
use std::thread::{self, ThreadId};

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

/// Bytes of a stack; the system gives them as they are used.
const STACK_SIZE: usize = 8 << 20;

thread_local! {
    /// How the work that runs now is left; null outside.
    static WAY_OUT: Cell<*const Yielder<(), ()>> = const { Cell::new(ptr::null()) };
    /// A stack for the next work.
    static STACK: RefCell<Option<DefaultStack>> = const { RefCell::new(None) };
}

/// Work that was put aside. When this is dropped, its stack stays as it is for ever, with all that is on it: the work cannot
/// be ended from outside.
pub struct Aside {
    work: ManuallyDrop<Coroutine<(), (), (), DefaultStack>>,
    thread: ThreadId,
}

// SAFETY: what lies on the stack belongs to its thread, and `go_on` refuses any other. Tasks must be `Send` for `tokio`, even
// where a runtime has one thread and no task ever leaves it.
unsafe impl Send for Aside {}

/// Runs work until it ends or is put aside. It must not panic.
///
/// # Safety
/// If the work is put aside, all that it uses must stay where it is, and be left alone, until it has ended.
pub unsafe fn run(work: impl FnOnce()) -> Option<Aside> {
    let stack = STACK.take().or_else(|| DefaultStack::new(STACK_SIZE).ok());
    let Some(stack) = stack else {
        // Without memory for a stack it runs on this one, and is never put aside.
        work();
        return None;
    };
    // SAFETY: what `work` borrows outlives it: the caller's promise.
    let coroutine = unsafe {
        Coroutine::with_stack_unchecked(stack, |way_out: &Yielder<(), ()>, ()| {
            WAY_OUT.set(way_out);
            work();
        })
    };
    let aside = Aside {
        work: ManuallyDrop::new(coroutine),
        thread: thread::current().id(),
    };
    aside.go_on()
}

impl Aside {
    /// Goes on with the work until it ends or is put aside again.
    ///
    /// # Panics
    /// On another thread than the one that the work began on.
    pub fn go_on(mut self) -> Option<Self> {
        assert_eq!(self.thread, thread::current().id());
        let outer = WAY_OUT.replace(ptr::null());
        let result = self.work.resume(());
        WAY_OUT.set(outer);
        match result {
            CoroutineResult::Yield(()) => Some(self),
            CoroutineResult::Return(()) => {
                STACK.set(Some(ManuallyDrop::into_inner(self.work).into_stack()));
                None
            }
        }
    }
}

/// Whether the work that runs now can be put aside.
pub fn is_possible() -> bool {
    !WAY_OUT.get().is_null()
}

/// Puts the work that runs now aside, where that is possible; returns when the thread has come back to it.
pub fn pause() {
    let way_out = WAY_OUT.get();
    if way_out.is_null() {
        return;
    }
    // SAFETY: the pointer is set only while the work runs to which it belongs, on the stack that it lies on.
    unsafe { (*way_out).suspend(()) };
    WAY_OUT.set(way_out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_left_and_gone_on_with() {
        let steps = RefCell::new(Vec::new());
        let note = |step| steps.borrow_mut().push(step);
        assert!(!is_possible());
        // SAFETY: `steps` and `note` outlive the work, which ends below.
        let aside = unsafe {
            run(|| {
                note(1);
                assert!(is_possible());
                pause();
                note(4);
                pause();
                note(6);
            })
        };
        note(2);
        // SAFETY: as above. A second one runs, and ends, while the first one waits.
        let other = unsafe { run(|| note(3)) };
        assert!(other.is_none() && !is_possible());
        let aside = aside.unwrap().go_on();
        note(5);
        assert!(aside.unwrap().go_on().is_none());
        assert_eq!(*steps.borrow(), [1, 2, 3, 4, 5, 6]);
        pause();
    }
}
