//! A server process under measurement, what `/proc` says of it, and a client just good enough to fill it.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::options::{Options, Program};

const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(10);
const READ_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);
/// Linux reports process times in hundredths of a second, whatever its own clock does.
const TICKS_PER_SECOND: f64 = 100.0;

/// Why a measurement gave no figure; its text stands in the table.
#[derive(Clone, Debug)]
pub struct Failure(pub String);

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure(error.to_string())
    }
}

/// One running server on a free port with an empty folder; both are gone when it is dropped.
pub struct Server {
    pub port: u16,
    process: Child,
    folder: PathBuf,
}

impl Server {
    pub fn start(program: &Program, options: &Options) -> Result<Server, Failure> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("oxidis-compare-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let fill = |arg: &String| {
            arg.replace("{port}", &port.to_string())
                .replace("{dir}", &folder.to_string_lossy())
        };
        let argv: Vec<String> = program.argv.iter().map(fill).collect();
        let spawned = pinned(Path::new(&argv[0]), options.server_cpus.as_deref())
            .args(&argv[1..])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let process = spawned.map_err(|error| {
            // The folder is empty: what remains of it is harmless.
            let _ = fs::remove_dir(&folder);
            Failure(format!("{}: {error}", argv[0]))
        })?;
        let mut server = Server {
            port,
            process,
            folder,
        };
        server.wait_until_ready()?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + START_LIMIT;
        while Instant::now() < deadline {
            if let Some(status) = self.process.try_wait()? {
                return Err(Failure(format!("ended at start ({status})")));
            }
            // Refused, or still loading: asked again.
            if self
                .connect()
                .and_then(|mut client| client.command(&["PING"]))
                .is_ok()
            {
                return Ok(());
            }
            thread::sleep(POLL);
        }
        Err(Failure("did not answer PING".to_owned()))
    }

    pub fn connect(&self) -> Result<Client, Failure> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_LIMIT))?;
        Ok(Client {
            stream: BufReader::with_capacity(1 << 16, stream),
        })
    }

    /// User and system time of all threads so far, in seconds.
    pub fn cpu_seconds(&self) -> Result<f64, Failure> {
        process_seconds(&self.process.id().to_string(), [14, 15])
    }

    pub fn resident_bytes(&self) -> Result<f64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes =
            line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        kibibytes
            .map(|kibibytes| kibibytes * 1024.0)
            .ok_or(Failure("server died".to_owned()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server without persistence has nothing to lose; errors mean that it is gone already.
        let _ = self.process.kill();
        let deadline = Instant::now() + STOP_LIMIT;
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(POLL);
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A command for the program, bound to the CPUs. `taskset` becomes the program, so the process id stays.
pub fn pinned(program: &Path, cpus: Option<&str>) -> Command {
    match cpus {
        None => Command::new(program),
        Some(cpus) => {
            let mut command = Command::new("taskset");
            command.args(["-c", cpus]).arg(program);
            command
        }
    }
}

/// The time, in seconds, that children of this process took which have ended and been waited for.
pub fn children_seconds() -> Result<f64, Failure> {
    process_seconds("self", [16, 17])
}

/// Sums fields of `/proc/PID/stat`, numbered from 1 as its manual page does.
fn process_seconds(process: &str, fields: [usize; 2]) -> Result<f64, Failure> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // Field 2, the name in brackets, may hold spaces.
    let rest: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = fields.map(|field| {
        rest.get(field - 3)
            .and_then(|text| text.parse::<f64>().ok())
    });
    match ticks {
        [Some(user), Some(system)] => Ok((user + system) / TICKS_PER_SECOND),
        _ => Err(Failure(format!("/proc/{process}/stat is not understood"))),
    }
}

pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Sends one command and skips its reply, whatever its type; an error reply is a failure.
    pub fn command(&mut self, args: &[&str]) -> Result<(), Failure> {
        let mut frame = Vec::new();
        encode(&mut frame, args);
        self.stream.get_mut().write_all(&frame)?;
        self.skip_reply()
    }

    /// Sends encoded commands at once, then takes their replies.
    pub fn batch(&mut self, frames: &[u8], commands: usize) -> Result<(), Failure> {
        self.stream.get_mut().write_all(frames)?;
        (0..commands).try_for_each(|_| self.skip_reply())
    }

    fn skip_reply(&mut self) -> Result<(), Failure> {
        let mut pending = 1;
        while pending > 0 {
            pending -= 1;
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(Failure("closed the connection".to_owned()));
            }
            let (kind, rest) = line.trim_end().split_at(1.min(line.trim_end().len()));
            match kind {
                "-" => return Err(Failure(format!("unsupported: {rest}"))),
                "$" => {
                    let length = rest.parse::<u64>().map_or(0, |length| length + 2);
                    io::copy(&mut self.stream.by_ref().take(length), &mut io::sink())?;
                }
                "*" => pending += rest.parse::<usize>().unwrap_or(0),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Appends one command as an array of bulk strings.
pub fn encode(frames: &mut Vec<u8>, args: &[&str]) {
    let text = |frames: &mut Vec<u8>, text: &str| frames.extend_from_slice(text.as_bytes());
    text(frames, &format!("*{}\r\n", args.len()));
    for arg in args {
        text(frames, &format!("${}\r\n{arg}\r\n", arg.len()));
    }
}
