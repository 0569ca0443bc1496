//! `replicaof`: the server to follow.

use crate::config::rule::{Reason, Rule, Setting};

/// The address of the server that this one follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Primary {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// Host and port; `no one` stands for none.
impl Setting for Option<Primary> {
    fn read(&mut self, words: &[&str], _: &Rule) -> Result<(), Reason> {
        let &[host, port] = words else {
            return Err("wrong number of arguments".into());
        };
        *self = if host.eq_ignore_ascii_case("no") && port.eq_ignore_ascii_case("one") {
            None
        } else {
            Some(Primary {
                host: host.to_owned(),
                port: port.parse().map_err(|_| "Invalid master port")?,
            })
        };
        Ok(())
    }

    fn shown(&self, _: &Rule) -> String {
        self.as_ref().map_or_else(String::new, |primary| {
            format!("{} {}", primary.host, primary.port)
        })
    }

    fn written(&self, rule: &Rule) -> Vec<String> {
        self.iter().map(|_| self.shown(rule)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port() {
        let mut primary = None;
        assert_eq!(primary.read(&["db.example", "6380"], &Rule::Own), Ok(()));
        assert_eq!(primary.shown(&Rule::Own), "db.example 6380");
        assert_eq!(
            primary.read(&["db.example", "65536"], &Rule::Own),
            Err("Invalid master port".into())
        );
        assert_eq!(
            primary.read(&["db.example"], &Rule::Own),
            Err("wrong number of arguments".into())
        );
        assert_eq!(primary.read(&["NO", "ONE"], &Rule::Own), Ok(()));
        assert_eq!(
            (primary.shown(&Rule::Own), primary.written(&Rule::Own)),
            (String::new(), Vec::new())
        );
    }
}
