//! What the machine, or the container around the process, offers: processors and memory. And how it words its errors.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::OnceLock;

/// Where Linux mounts the control groups.
const CGROUP_ROOT: &str = "/sys/fs/cgroup";

/// The number of processors that this process may use (quotas and affinity counted); at least 1.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get())
}

/// The machine's memory in bytes, where the system tells it.
pub fn total_memory() -> Option<u64> {
    static TOTAL: OnceLock<Option<u64>> = OnceLock::new();
    *TOTAL.get_or_init(|| parse_total(&fs::read_to_string("/proc/meminfo").ok()?))
}

/// The memory in bytes that this process may use: the container's limit, or else the machine's
/// memory. Read once; `None` where the system tells neither.
pub fn memory_limit() -> Option<u64> {
    static LIMIT: OnceLock<Option<u64>> = OnceLock::new();
    *LIMIT.get_or_init(|| {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        [
            total_memory(),
            container_limit(Path::new(CGROUP_ROOT), &groups),
        ]
        .into_iter()
        .flatten()
        .min()
    })
}

/// Bytes of this process that are in the machine's memory.
pub fn resident_memory() -> Option<u64> {
    let pages = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = pages.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * page_size())
}

/// Whether memory that is first touched from now on may come as huge pages, where the system has them.
pub fn allow_huge_pages(on: bool) {
    // A system that does not know how to do without them is left as it is.
    let _ = rustix::thread::disable_transparent_huge_pages(!on);
}

fn page_size() -> u64 {
    static SIZE: OnceLock<u64> = OnceLock::new();
    // The auxiliary vector: pairs of words, of which the one of kind 6 holds the page size.
    *SIZE.get_or_init(|| {
        let vector = fs::read("/proc/self/auxv").unwrap_or_default();
        let word = |bytes: &[u8]| bytes.try_into().map(u64::from_ne_bytes).unwrap_or(0);
        let mut pairs = vector.chunks_exact(16);
        let found = pairs.find(|pair| word(&pair[..8]) == 6);
        found.map_or(4096, |pair| word(&pair[8..]))
    })
}

/// The operating system's words for an error, as C programs print them.
pub fn error_text(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error")
        .map_or(text.clone(), |(words, _)| words.to_owned())
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn parse_total(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The smallest limit on the way from the process's control group up to the root. `groups` is the
/// text of `/proc/self/cgroup`: lines `0::/path` (version 2) or `N:controllers:/path` (version 1).
fn container_limit(root: &Path, groups: &str) -> Option<u64> {
    groups
        .lines()
        .filter_map(|line| limit_of_group(root, line))
        .min()
}

fn limit_of_group(root: &Path, line: &str) -> Option<u64> {
    let mut parts = line.splitn(3, ':');
    let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let (root, file) = if controllers.is_empty() {
        (root.to_path_buf(), "memory.max")
    } else if controllers.split(',').any(|name| name == "memory") {
        (root.join("memory"), "memory.limit_in_bytes")
    } else {
        return None;
    };
    // A container often sees its own group mounted as the root, under a path it cannot see: missing
    // files are skipped.
    let group = root.join(path.trim_start_matches('/'));
    group
        .ancestors()
        .take_while(|folder| folder.starts_with(&root))
        .filter_map(|folder| read_limit(&folder.join(file)))
        .min()
}

/// A limit file's number; `max` (version 2) and a missing file mean that there is no limit here.
fn read_limit(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_told() {
        assert!(processors() >= 1);
        if cfg!(target_os = "linux") {
            let total = total_memory().expect("Linux tells its memory");
            assert!(memory_limit().is_some_and(|limit| limit <= total));
        }
    }

    #[test]
    fn this_process_is_in_memory() {
        if cfg!(target_os = "linux") {
            assert!(page_size().is_power_of_two() && page_size() >= 4096);
            let resident = resident_memory().expect("Linux tells its processes' memory");
            assert!((1 << 20..1 << 40).contains(&resident), "{resident}");
        }
    }

    #[test]
    fn meminfo_is_in_kibibytes() {
        assert_eq!(
            parse_total("MemFree: 1 kB\nMemTotal:       2048 kB\n"),
            Some(2_097_152)
        );
        assert_eq!(parse_total("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn the_tightest_group_counts() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            fs::write(path, text).expect("a limit file");
        };
        write("pod/app/memory.max", "max\n");
        write("pod/memory.max", "1000\n");
        write("memory.max", "5000\n");
        write("memory/docker/x/memory.limit_in_bytes", "700\n");
        assert_eq!(container_limit(root.path(), "0::/pod/app\n"), Some(1000));
        assert_eq!(container_limit(root.path(), "0::/elsewhere\n"), Some(5000));
        assert_eq!(
            container_limit(root.path(), "4:cpu,memory:/docker/x\n1:cpu:/\n"),
            Some(700)
        );
        assert_eq!(container_limit(root.path(), "1:cpu:/\n"), None);
    }
}
