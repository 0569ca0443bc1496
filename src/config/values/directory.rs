//! `dir`: the working directory, always held as an absolute path.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::machine::error_text;
use crate::config::rule::{Reason, Rule, Setting, only};
use crate::config::words;

/// The directory in which the server's files are, and against which relative paths in the
/// configuration are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory(PathBuf);

impl Directory {
    /// The absolute path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file's path in this directory; an absolute path stays as it is.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn enter(&self, path: &str) -> io::Result<PathBuf> {
        if path.is_empty() {
            return Err(io::Error::from_raw_os_error(libc::ENOENT));
        }
        // The last dot makes a path that is no directory, or one that may not be searched, fail as
        // entering it would.
        self.0.join(path).join(".").canonicalize()
    }
}

/// A relative path is taken from the present directory.
impl Setting for Directory {
    fn read(&mut self, words: &[&str], _: &Rule) -> Result<(), Reason> {
        self.0 = self
            .enter(only(words))
            .map_err(|error| error_text(&error))?;
        Ok(())
    }

    fn shown(&self, _: &Rule) -> String {
        self.0.to_string_lossy().into_owned()
    }

    fn written(&self, rule: &Rule) -> Vec<String> {
        vec![words::quote(self.shown(rule))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_entered() {
        let root = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(root.path().join("data")).expect("a folder");
        std::fs::write(root.path().join("file"), "").expect("a file");
        let mut directory = Directory::default();
        assert_eq!(
            directory.read(&[&root.path().to_string_lossy()], &Rule::Own),
            Ok(())
        );
        assert_eq!(directory.read(&["data"], &Rule::Own), Ok(()));
        assert!(directory.path().is_absolute() && directory.path().ends_with("data"));
        assert_eq!(
            directory.read(&["../missing"], &Rule::Own),
            Err("No such file or directory".into())
        );
        assert_eq!(
            directory.read(&["../file"], &Rule::Own),
            Err("Not a directory".into())
        );
        assert!(
            directory.path().ends_with("data"),
            "a refused value changes nothing"
        );
        assert_eq!(directory.read(&[".."], &Rule::Own), Ok(()));
        assert!(directory.file("data").is_dir());
    }
}
