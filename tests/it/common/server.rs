//! Starting, stopping and losing servers.

use std::fs::{File, OpenOptions};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Raw, Reply};

const LIMIT_START: Duration = Duration::from_secs(60);
const LIMIT_STOP: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);

/// A running server; dropping it kills the process and, when the test has failed, prints its log.
pub struct Server {
    program: PathBuf,
    /// A configuration file.
    file: Option<PathBuf>,
    args: Vec<String>,
    port: u16,
    dir: TempDir,
    child: Option<Child>,
}

impl Server {
    /// Starts the server under test with an empty directory; `args` follow the harness's own and so override them.
    #[track_caller]
    pub fn start(args: &[&str]) -> Server {
        Server::launch(Server::under_test(), None, args)
    }

    /// As `start`, with a configuration file that the harness's arguments override.
    #[track_caller]
    pub fn start_with_file(file: &Path, args: &[&str]) -> Server {
        Server::launch(Server::under_test(), Some(file.to_owned()), args)
    }

    fn under_test() -> PathBuf {
        std::env::var_os("OXIDIS_TEST_SERVER")
            .unwrap_or_else(|| env!("CARGO_BIN_EXE_oxidis").into())
            .into()
    }

    /// Starts the machine's own `redis-server`, for comparison; `None` where there is none.
    #[track_caller]
    pub fn redis(args: &[&str]) -> Option<Server> {
        Command::new("redis-server")
            .arg("--version")
            .output()
            .ok()?;
        Some(Server::launch("redis-server".into(), None, args))
    }

    #[track_caller]
    fn launch(program: PathBuf, file: Option<PathBuf>, args: &[&str]) -> Server {
        let dir = TempDir::new().expect("a temporary directory");
        let args = args.iter().map(|arg| arg.to_string()).collect();
        let mut server = Server {
            program,
            file,
            args,
            port: 0,
            dir,
            child: None,
        };
        for _ in 0..5 {
            server.port = free_port();
            if server.spawn() {
                return server;
            }
        }
        panic!(
            "{} does not start:\n{}",
            server.program.display(),
            server.log()
        );
    }

    /// The port it listens on at 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The `dir` of its configuration; `server.log` in it holds what the process printed.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What the process has printed since the server was first started.
    pub fn log(&self) -> String {
        std::fs::read(self.log_path())
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .unwrap_or_default()
    }

    /// A new connection that shows every byte.
    #[track_caller]
    pub fn raw(&self) -> Raw {
        Raw::connect(self.port)
    }

    /// A new connection of the `redis` crate.
    #[track_caller]
    pub fn client(&self) -> redis::Connection {
        let client = redis::Client::open(("127.0.0.1", self.port)).expect("a valid address");
        let connection = client
            .get_connection()
            .expect("the server accepts connections");
        connection
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a valid timeout");
        connection
    }

    /// Asks the server to end (SIGTERM) and asserts that it ends well.
    #[track_caller]
    pub fn stop(&mut self) {
        self.signal(libc::SIGTERM);
        let status = self.wait();
        assert!(status.success(), "SIGTERM ended the server with {status}");
    }

    /// Sends the process a signal.
    #[track_caller]
    pub fn signal(&self, signal: libc::c_int) {
        let child = self.child.as_ref().expect("the server runs");
        // SAFETY: `kill` has no memory effects, and the child has not been waited for, so its id is still its own.
        unsafe { libc::kill(child.id() as libc::pid_t, signal) };
    }

    /// Ends the process as a power cut would (SIGKILL): nothing is flushed.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child can be killed");
            child.wait().expect("a child can be waited for");
        }
    }

    /// Starts again on the same port and directory, after stopping the server if it still runs.
    #[track_caller]
    pub fn restart(&mut self) {
        if self.child.is_some() {
            self.stop();
        }
        assert!(
            self.spawn(),
            "{} does not start again",
            self.program.display()
        );
    }

    /// Starts again after `stop` or `kill`, without waiting until it serves commands.
    #[track_caller]
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "the server still runs");
        self.run_process();
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the server runs").id()
    }

    /// Waits for the process to end by itself, for instance after `SHUTDOWN`.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + LIMIT_STOP;
        let child = self.child.as_mut().expect("the server runs");
        loop {
            if let Some(status) = child.try_wait().expect("a child can be waited for") {
                self.child = None;
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "the server still runs after {LIMIT_STOP:?}"
            );
            sleep(POLL);
        }
    }

    /// Starts the process and waits until it serves commands; false when it ends before that.
    fn spawn(&mut self) -> bool {
        self.run_process();
        self.becomes_ready()
    }

    fn run_process(&mut self) {
        let open = |path| OpenOptions::new().create(true).append(true).open(path);
        let log: File = open(self.log_path()).expect("a log file");
        let child = Command::new(&self.program)
            .args(&self.file)
            .args(["--port", &self.port.to_string()])
            .arg("--dir")
            .arg(self.dir.path())
            .args(["--save", ""])
            .args(&self.args)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn();
        self.child =
            Some(child.unwrap_or_else(|error| panic!("{}: {error}", self.program.display())));
    }

    fn becomes_ready(&mut self) -> bool {
        let deadline = Instant::now() + LIMIT_START;
        while Instant::now() < deadline {
            let child = self.child.as_mut().expect("the server was just started");
            if child
                .try_wait()
                .expect("a child can be waited for")
                .is_some()
            {
                self.child = None;
                return false;
            }
            if self.answers() {
                return true;
            }
            sleep(POLL);
        }
        panic!("the server does not answer PING within {LIMIT_START:?}");
    }

    /// True once PING gets its answer; a demand for a password is one, `LOADING` is not.
    fn answers(&self) -> bool {
        let reply = Raw::try_connect(self.port).and_then(|mut raw| {
            raw.try_send(b"*1\r\n$4\r\nPING\r\n")?;
            raw.try_read()
        });
        match reply {
            Ok(Reply::Error(text)) => !text.starts_with("LOADING"),
            Ok(_) => true,
            Err(_) => false,
        }
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("server.log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = self.child.as_mut() {
            // Errors are of no use here: the process may have ended by itself, and a panic in a drop would abort.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            println!(
                "---- log of {} on port {} ----\n{}",
                self.program.display(),
                self.port,
                self.log()
            );
        }
    }
}

/// A port nobody listens on. Ports are counted up from a place that depends on the process, below the range from which
/// the kernel takes ports for outgoing connections, so that two tests hardly ever choose the same one.
fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 20_000;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    for _ in 0..COUNT {
        let taken = TAKEN.fetch_add(1, Ordering::Relaxed);
        let offset = std::process::id().wrapping_mul(7919).wrapping_add(taken) % COUNT;
        let port = (FIRST + offset) as u16;
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT);
}
