//! The process's title, as `proc-title-template` asks for it.

use std::env;

use crate::base::title;
use crate::config::Config;

/// Shows a title, unless the process is to keep its command line.
pub(super) fn show(config: &Config) {
    if config.set_proc_title {
        // The first argument is the program as it was called. It lies in memory that the title takes, so it is read once.
        static PROGRAM: std::sync::OnceLock<String> = std::sync::OnceLock::new();
        let program = PROGRAM.get_or_init(|| env::args().next().unwrap_or_default());
        title::set(expand(&config.proc_title_template, program, config).trim_matches(' '));
    }
}

/// A template's text with what its variables stand for.
fn expand(template: &str, program: &str, config: &Config) -> String {
    let mut parts = template.split('{');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('}') {
            Some((name, rest)) => text += &(value(name, program, config) + rest),
            None => text += part,
        }
    }
    text
}

fn value(name: &str, program: &str, config: &Config) -> String {
    match name {
        "title" => program.to_owned(),
        "listen-addr" if config.port != 0 || config.tls_port != 0 => {
            let host = config.bind.first().map_or("*", String::as_str);
            let port = if config.port != 0 {
                config.port
            } else {
                config.tls_port
            };
            format!("{host}:{port}")
        }
        "listen-addr" => format!("unixsocket:{}", config.unixsocket),
        "server-mode" if config.cluster_enabled => "[cluster]".to_owned(),
        "port" => config.port.to_string(),
        "tls-port" => config.tls_port.to_string(),
        "unixsocket" => config.unixsocket.clone(),
        "config-file" => match &config.file {
            Some(file) => file.display().to_string(),
            None => "-".to_owned(),
        },
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    fn expanded(template: &str, directives: &str) -> String {
        let sources = Sources {
            command_line: directives.as_bytes().to_vec(),
            ..Sources::default()
        };
        let config = Config::load(&sources).expect("a good configuration");
        expand(template, "oxidis", &config)
    }

    #[test]
    fn variables_are_filled_in() {
        let template = "A {title} {listen-addr} {port}{tls-port} {config-file}{server-mode}";
        let text = expanded(template, "port 0\ntls-port 7");
        assert_eq!(text, "A oxidis *:7 07 -");
        let text = expanded(
            "{listen-addr} {server-mode}",
            "port 0\nunixsocket /run/s\ncluster-enabled yes",
        );
        assert_eq!(text, "unixsocket:/run/s [cluster]");
    }
}
