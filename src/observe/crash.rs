//! What is told of a crash: a panic, which only its client has to suffer for, and a fault, which ends the process.
//!
//! A fault's handler runs wherever the program was interrupted, perhaps in the allocator. So it takes no lock, allocates
//! nothing, and writes to the log with nothing but system calls; only the very last, the names in the stack trace, comes
//! from the C library.

use std::backtrace::Backtrace;
use std::ffi::{CString, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::panic;
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::base::version::REDIS_VERSION;

/// The lines by which tools find a report.
const BEGINNING: &str = "=== REDIS BUG REPORT START: Cut & paste starting from here ===";
const END: &str = "=== REDIS BUG REPORT END. Make sure to include from START to END. ===";

/// Signals that tell of a fault.
const FAULTS: [c_int; 5] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGABRT,
];
/// Frames of a stack trace.
const FRAMES: usize = 100;

static IS_ENABLED: AtomicBool = AtomicBool::new(false);
static IS_REPORTING: AtomicBool = AtomicBool::new(false);
/// The log file; none stands for standard output.
static LOG: OnceLock<Option<CString>> = OnceLock::new();

/// Whether crashes are reported, `crash-log-enabled`.
pub fn set_enabled(on: bool) {
    IS_ENABLED.store(on, Relaxed);
}

/// Has panics and faults reported from now on, to this log.
pub fn install(log: Option<&Path>) {
    let path = log.and_then(|path| CString::new(path.as_os_str().as_bytes()).ok());
    if LOG.set(path).is_err() {
        return;
    }
    panic::set_hook(Box::new(|info| {
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        if IS_ENABLED.load(Relaxed) {
            let trace = Backtrace::force_capture();
            tracing::error!(
                "{BEGINNING}\nThread '{thread}': {info}\n\n------ STACK TRACE ------\n{trace}\n{END}"
            );
        } else {
            tracing::error!("Thread '{thread}': {info}");
        }
    }));
    // The first trace loads what all others need.
    let mut frames = [ptr::null_mut(); 1];
    // SAFETY: the array has room for one frame.
    unsafe { libc::backtrace(frames.as_mut_ptr(), 1) };
    for signal in FAULTS {
        // SAFETY: a zeroed action is a valid one. The handler has the type that SA_SIGINFO asks for, and calls nothing that a
        // handler must not. It runs on the stack that the standard library has given each of its threads for handlers, so
        // it also tells of stacks that overflow.
        unsafe {
            let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
            action.sa_sigaction = on_fault as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESETHAND;
            libc::sigaction(signal, &action, ptr::null_mut());
        }
    }
}

extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    if IS_ENABLED.load(Relaxed) && !IS_REPORTING.swap(true, Relaxed) {
        // SAFETY: the kernel gives a handler with SA_SIGINFO a valid description.
        let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
        report(signal, code, address);
    }
    // SAFETY: both are allowed in a handler. The action is the default one again, so the process ends by this signal as soon
    // as the handler returns.
    unsafe { libc::raise(signal) };
}

fn report(signal: c_int, code: c_int, address: usize) {
    let log = Log::open();
    log.text("\n\n");
    log.text(BEGINNING);
    log.text("\nOxidis, speaking as Redis ");
    log.text(REDIS_VERSION);
    log.text(", crashed by signal: ");
    log.number(signal.unsigned_abs() as usize, 10);
    log.text(", si_code: ");
    if code < 0 {
        log.text("-");
    }
    log.number(code.unsigned_abs() as usize, 10);
    if signal == libc::SIGSEGV || signal == libc::SIGBUS {
        log.text("\nAccessing address: 0x");
        log.number(address, 16);
    }
    log.text("\nThread: ");
    let mut name = [0u8; 16];
    // SAFETY: PR_GET_NAME writes at most 16 bytes.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    let len = name
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(name.len());
    log.bytes(&name[..len]);
    log.text("\n\n------ STACK TRACE ------\n");
    let mut frames = [ptr::null_mut(); FRAMES];
    // SAFETY: the array has room for that many frames, of which `count` are filled.
    unsafe {
        let count = libc::backtrace(frames.as_mut_ptr(), FRAMES as c_int);
        libc::backtrace_symbols_fd(frames.as_ptr(), count, log.0);
    }
    log.text("\n");
    log.text(END);
    log.text("\n\n");
}

/// The log, written to without the help of anything that might be broken.
struct Log(c_int);

impl Log {
    fn open() -> Self {
        let flags = libc::O_APPEND | libc::O_CREAT | libc::O_WRONLY | libc::O_CLOEXEC;
        let file = match LOG.get() {
            // SAFETY: the path ends with a zero.
            Some(Some(path)) => unsafe { libc::open(path.as_ptr(), flags, 0o644) },
            _ => libc::STDOUT_FILENO,
        };
        Self(file)
    }

    fn bytes(&self, bytes: &[u8]) {
        // SAFETY: the bytes are there. Whether they can be written, nobody could be told.
        let _ = unsafe { libc::write(self.0, bytes.as_ptr().cast(), bytes.len()) };
    }

    fn text(&self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn number(&self, mut number: usize, base: usize) {
        let mut digits = [0u8; 24];
        let mut start = digits.len();
        loop {
            start -= 1;
            digits[start] = b"0123456789abcdef"[number % base];
            number /= base;
            if number == 0 || start == 0 {
                break;
            }
        }
        self.bytes(&digits[start..]);
    }
}
